-- What was done each day, by how many, and how each action got its person?
SELECT
    toDate(at, {zone:String})                               AS date,
    identified + carried + backfilled + anonymous           AS actions,
    sum(sums.identified)                                    AS identified,
    sum(sums.carried)                                       AS carried,
    sum(sums.backfilled)                                    AS backfilled,
    sum(sums.anonymous)                                     AS anonymous,
    uniqExact(device_key)                                   AS devices,
    uniqExact(person_key)                                   AS persons
FROM $sums
GROUP BY date
ORDER BY date
