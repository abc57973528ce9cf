-- Who came back, by weeks after the first one seen in the period: persons, and the same if every device were one?
SELECT
    cohort,
    toUInt32(intDiv(dateDiff('day', cohort, one), 7))  AS week,
    countIf(by_person)                                 AS persons,
    countIf(NOT by_person)                             AS devices
FROM
(
    SELECT
        unit.1                                         AS by_person,
        groupUniqArray(monday)                         AS mondays,
        arrayMin(mondays)                              AS cohort,
        arrayJoin(mondays)                             AS one
    FROM
    (
        SELECT
            toMonday(toDate(ts, {zone:String}))                          AS monday,
            arrayJoin([(true, person_key), (false, device_key)])    AS unit
        FROM (SELECT person_key, device_key, ts FROM $counted)
    )
    GROUP BY unit
)
GROUP BY cohort, week
ORDER BY cohort, week
