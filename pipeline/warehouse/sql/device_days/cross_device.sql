-- On which kind of device did those who converted begin, on which did they convert, and who had needed more than one?
-- The same question as `reports/cross_device`, of days that were added up.
SELECT
    began_on,
    converted.2                                             AS converted_on,
    converted.4                                             AS currency,
    count()                                                 AS conversions,
    uniqExact(person_key)                                   AS persons,
    sum(converted.3)                                        AS spent,
    countIf(arrayCount(began -> began <= converted.1, begun) > 1) AS several_devices
FROM
(
    SELECT person_key, argMin(began_with, began) AS began_on, groupArray(began) AS begun
    FROM
    (
        SELECT person_key, device_key, min(first) AS began, argMin(kind, first) AS began_with
        FROM $firsts
        WHERE person_key IN (SELECT person_key FROM $conversions)
        GROUP BY person_key, device_key
    )
    GROUP BY person_key
) AS persons
INNER JOIN
(
    SELECT person_key, (at, kind, spent, currency) AS converted
    FROM $conversions
) AS goals USING (person_key)
GROUP BY began_on, converted_on, currency
ORDER BY conversions DESC, began_on, converted_on, currency
