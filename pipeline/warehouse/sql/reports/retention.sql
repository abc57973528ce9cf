-- Who came back, by weeks after the first one seen in the period: persons, and the same if every device were one?
SELECT
    toMonday(toDate({since:DateTime64(3, 'UTC')}, {zone:String})) + 7 * weeks[1] AS cohort,
    toUInt32(arrayJoin(weeks) - weeks[1])              AS week,
    sumIf(units, by_person)                            AS persons,
    sumIf(units, NOT by_person)                        AS devices
FROM
(
    SELECT by_person, arraySort(seen) AS weeks, count() AS units
    FROM
    (
        SELECT true AS by_person, groupUniqArray(toUInt16(intDiv(dateDiff('day', toMonday(toDate({since:DateTime64(3, 'UTC')}, {zone:String})), toMonday(toDate(at, {zone:String}))), 7))) AS seen
        FROM $sums
        GROUP BY person_key
        UNION ALL
        SELECT false, groupUniqArray(toUInt16(intDiv(dateDiff('day', toMonday(toDate({since:DateTime64(3, 'UTC')}, {zone:String})), toMonday(toDate(at, {zone:String}))), 7)))
        FROM $sums
        GROUP BY device_key
    )
    GROUP BY by_person, weeks
)
GROUP BY cohort, week
ORDER BY cohort, week
