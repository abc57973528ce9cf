-- How often did a person go on with another kind of device: the next visit, by its start, is on another kind?
SELECT
    from_kind,
    to_kind,
    count()                                            AS handovers,
    uniqExact(person_key)                               AS persons,
    toInt64(quantileExactLow(0.5)(gap_ms))             AS median_gap_ms
FROM
(
    SELECT
        person_key,
        arraySort(groupArrayArray(visits))                                          AS line,
        arrayJoin(arrayZip(arrayPopBack(line), arrayPopFront(line)))                AS pair,
        pair.1.4                                                                    AS from_kind,
        pair.2.4                                                                    AS to_kind,
        greatest(pair.2.1 - pair.1.2, 0)                                            AS gap_ms
    FROM
    (
        SELECT
            person_key,
            device_key,
            max((moments[-1], toString(kind)))                                      AS last,
            arraySort(groupArrayArray(moments))                                     AS times,
            arrayFilter((t, gap, n) -> n = 1 OR gap >= 1800000, times,
                arrayDifference(times), arrayEnumerate(times))                      AS starts,
            arrayFilter((t, gap, n) -> n = length(times) OR gap >= 1800000, times,
                arrayPushBack(arrayPopFront(arrayDifference(times)), 0), arrayEnumerate(times)) AS ends,
            arrayMap((begun, ended) -> (begun, ended, device_key, if(last.2 = '', 'unknown', last.2)), starts, ends) AS visits
        FROM $spans
        WHERE person_key IN
        (
            SELECT person_key
            FROM $spans
            GROUP BY person_key
            HAVING min(device_key) != max(device_key)
        )
        GROUP BY person_key, device_key
    )
    GROUP BY person_key
)
WHERE from_kind != to_kind
GROUP BY from_kind, to_kind
ORDER BY handovers DESC, from_kind, to_kind
