-- What was done each day, by how many, and how each action got its person?
SELECT
    toDate(ts, {zone:String})            AS date,
    count()                              AS actions,
    countIf(attribution = 'identified')  AS identified,
    countIf(attribution = 'carried')     AS carried,
    countIf(attribution = 'backfilled')  AS backfilled,
    countIf(attribution = 'anonymous')   AS anonymous,
    uniqExact(device_key)                   AS devices,
    uniqExact(person_key)                 AS persons
FROM $counted
GROUP BY date
ORDER BY date
