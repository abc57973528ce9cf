-- Which user IDs does this person go by, who said each, and which statement joined it to the others?
SELECT
    users.user_id                                                AS user_id,
    hits,
    devices,
    first_said,
    last_said,
    sites,
    protocols,
    joined.event_id                                              AS joined_by,
    said.authority                                               AS authority,
    said.said_at                                                 AS joined_at
FROM
(
    SELECT
        user_id,
        sum(number)                                              AS hits,
        max(places)                                              AS devices,
        minIf(first, number > 0)                                 AS first_said,
        maxIf(last, number > 0)                                  AS last_said,
        arraySort(arrayDistinct(groupArrayArray(site_ids)))      AS sites,
        arraySort(arrayDistinct(groupArrayArray(families)))      AS protocols
    FROM
    (
        SELECT
            user_id, count() AS number, uniqExact(device) AS places, min(ts) AS first, max(ts) AS last,
            groupUniqArray(toString(site_id)) AS site_ids, groupUniqArray(toString(protocol)) AS families
        FROM $theirs
        WHERE user_id != ''
        GROUP BY user_id
        UNION ALL
        SELECT user_id, 0, 0, toDateTime64(0, 3, 'UTC'), toDateTime64(0, 3, 'UTC'), [], []
        FROM person_merges FINAL
        WHERE workspace = {workspace:String}
          AND canonical_id = dictGetOrDefault('canonical_persons', 'canonical_id', {person:UUID}, {person:UUID})
    )
    GROUP BY user_id
) AS users
LEFT JOIN
(
    SELECT user_id, event_id
    FROM person_merges FINAL
    WHERE workspace = {workspace:String} AND users > 1 AND NOT refused
) AS joined ON users.user_id = joined.user_id
LEFT JOIN
(
    SELECT event_id, argMax(alias_statements.authority, alias_statements.ts) AS authority, max(alias_statements.ts) AS said_at
    FROM alias_statements
    WHERE workspace = {workspace:String}
    GROUP BY event_id
) AS said ON joined.event_id = said.event_id
ORDER BY user_id
