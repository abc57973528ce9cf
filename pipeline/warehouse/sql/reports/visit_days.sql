-- How many visits began each day? A visit that began before the period begins with it.
SELECT toDate(fromUnixTimestamp64Milli(arrayJoin(starts), 'UTC'), {zone:String}) AS date, count() AS visits
FROM
(
    SELECT
        arraySort(groupArrayArray(moments)) AS times,
        arrayFilter((t, gap, n) -> n = 1 OR gap >= 1800000, times, arrayDifference(times), arrayEnumerate(times)) AS starts
    FROM $spans
    GROUP BY person_key, device_key
)
GROUP BY date
ORDER BY date
