-- What is known of these persons, over all time: names, traits, when and where they were seen?
WITH
    theirs AS
    (
        SELECT *
        FROM $known_rows
        WHERE person_id IN (SELECT arrayJoin({persons:Array(UUID)}))
    ),
    said AS
    (
        SELECT
            person_id, ts, event_id,
            arrayJoin(arrayConcat(
                arrayMap(pair -> (false, pair), JSONExtractKeysAndValuesRaw(traits)),
                arrayMap(pair -> (true, pair), JSONExtractKeysAndValuesRaw(traits_once)))) AS one,
            one.1 AS once,
            one.2 AS pair
        FROM theirs
        WHERE traits != '{}' OR traits_once != '{}'
    ),
    latest AS
    (
        SELECT
            person_id,
            pair.1 AS key,
            if(countIf(NOT once) > 0, argMaxIf(pair.2, (ts, event_id), NOT once), argMinIf(pair.2, (ts, event_id), once)) AS value
        FROM said
        GROUP BY person_id, key
        HAVING value != 'null'
        ORDER BY key
    ),
    maps AS
    (
        SELECT
            person_id,
            mapFromArrays(
                groupArray(key),
                groupArray(if(startsWith(value, '"'), JSONExtractString(value), value))) AS traits
        FROM latest
        GROUP BY person_id
    )
SELECT
    person_id,
    arraySort(groupUniqArrayIf(user_id, user_id != ''))  AS user_ids,
    min(ts)                                              AS first_seen,
    max(ts)                                              AS last_seen,
    count()                                              AS actions,
    uniqExact(device)                                    AS devices,
    arraySort(groupUniqArray(toString(site_id)))         AS sites,
    any(maps.traits)                                     AS traits
FROM theirs
LEFT JOIN maps ON theirs.person_id = maps.person_id
GROUP BY person_id
ORDER BY person_id
