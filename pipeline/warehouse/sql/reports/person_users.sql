-- Which user IDs does this person go by, who said each, and which statement joined it to the others?
-- A user's person is the same in every version of a row of `person_merges`, so it may be tested before FINAL.
SELECT
    users.user_id                                                AS user_id,
    hits,
    devices,
    first_said,
    last_said,
    sites,
    protocols,
    joined_by,
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
        arraySort(arrayDistinct(groupArrayArray(families)))      AS protocols,
        max(statement)                                           AS joined_by
    FROM
    (
        SELECT
            user_id, count() AS number, uniqExact(device) AS places, min(ts) AS first, max(ts) AS last,
            groupUniqArray(toString(site_id)) AS site_ids, groupUniqArray(toString(protocol)) AS families, '' AS statement
        FROM $theirs
        WHERE user_id != ''
        GROUP BY user_id
        UNION ALL
        SELECT
            user_id, 0, 0, toDateTime64(0, 3, 'UTC'), toDateTime64(0, 3, 'UTC'), [], [],
            if(users > 1 AND NOT refused, event_id, '')
        FROM person_merges FINAL
        PREWHERE workspace = {workspace:String} AND person_id IN $their_ids
    )
    GROUP BY user_id
) AS users
LEFT JOIN
(
    SELECT event_id, argMax(alias_statements.authority, alias_statements.ts) AS authority, max(alias_statements.ts) AS said_at
    FROM alias_statements
    WHERE workspace = {workspace:String}
      AND event_id IN
      (
          SELECT event_id FROM person_merges WHERE workspace = {workspace:String} AND person_id IN $their_ids
      )
    GROUP BY event_id
) AS said ON joined_by = said.event_id
ORDER BY user_id
