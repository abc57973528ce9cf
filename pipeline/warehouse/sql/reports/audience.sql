-- Who is in this segment? A page of persons in the order of their IDs.
SELECT
    person_id,
    min(ts)                                              AS first_action,
    max(ts)                                              AS last_action,
    count()                                              AS actions,
    uniqExact(device)                                    AS devices,
    countIf(revenue IS NOT NULL)                         AS conversions,
    sum(ifNull(revenue, 0))                              AS spent
FROM $counted
WHERE person_id > {after_person:UUID}
GROUP BY person_id
ORDER BY person_id
LIMIT {limit:UInt32}
