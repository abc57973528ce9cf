-- What was done each day, by how many, and how each action got its person?
SELECT
    toDate(ts, {zone:String})            AS date,
    count()                              AS actions,
    countIf(attribution = 'identified')  AS identified,
    countIf(attribution = 'carried')     AS carried,
    countIf(attribution = 'backfilled')  AS backfilled,
    countIf(attribution = 'anonymous')   AS anonymous,
    uniqExact(device)                    AS devices,
    uniqExact(person_id)                 AS persons
FROM $counted
GROUP BY date
ORDER BY date
