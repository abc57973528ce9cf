-- How many went through these steps in order within `within_ms`: as persons, and if every device were one?
-- A step is a later action than the step before it, by time and then event ID; the time runs from the first step.
SELECT
    step,
    countIf(by_person)      AS persons,
    countIf(NOT by_person)  AS devices
FROM
(
    SELECT
        unit.1 AS by_person,
        arrayJoin(arrayFilter(
            (step, begun) -> begun >= 0,
            range(1, length(reached) + 1),
            arrayFold(
                (begun, one) -> arrayMap(
                    (now, before, met, step) -> if(
                        NOT met, now,
                        if(step = 1, one.1, if(before >= 0 AND one.1 - before <= {within_ms:Int64}, greatest(now, before), now))),
                    begun, arrayPushFront(arrayPopBack(begun), toInt64(-1)), one.3, range(1, length(begun) + 1)),
                steps,
                reached) AS done)) AS step
    FROM
    (
        SELECT
            arrayJoin([(true, person_key), (false, device_key)])               AS unit,
            arraySort(groupArray((toUnixTimestamp64Milli(ts), event_id, met))) AS steps,
            arrayMap(one -> toInt64(-1), any(met))                             AS reached
        FROM (SELECT person_key, device_key, ts, event_id, $steps AS met FROM $counted)
        WHERE has(met, true)
        GROUP BY unit
    )
)
GROUP BY step
ORDER BY step
