-- What was said of this person, a row a statement, and which one counts: the latest set, else the earliest set once?
SELECT
    key, value, ts, event_id, device, site_id, protocol, once,
    CAST((ts, event_id) = if(any_set, latest_set, earliest_once) AND once != any_set, 'Bool') AS counts
FROM
(
    SELECT
        *,
        countIf(NOT once) OVER w > 0                      AS any_set,
        maxIf((ts, event_id), NOT once) OVER w            AS latest_set,
        minIf((ts, event_id), once) OVER w                AS earliest_once
    FROM
    (
        SELECT
            ts, event_id, device, site_id, protocol,
            arrayJoin(arrayConcat(
                arrayMap(pair -> (false, pair), JSONExtractKeysAndValuesRaw(traits)),
                arrayMap(pair -> (true, pair), JSONExtractKeysAndValuesRaw(traits_once)))) AS one,
            CAST(one.1, 'Bool') AS once,
            one.2.1 AS key,
            one.2.2 AS value
        FROM $theirs
        WHERE traits != '{}' OR traits_once != '{}'
    )
    WINDOW w AS (PARTITION BY key)
)
ORDER BY key, ts, event_id
LIMIT {limit:UInt32}
