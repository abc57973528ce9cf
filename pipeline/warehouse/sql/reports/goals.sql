-- What was done that has a name, by how many, and for how much?
SELECT
    name,
    currency,
    count()                          AS actions,
    countIf(revenue IS NOT NULL)     AS conversions,
    sum(ifNull(revenue, 0))          AS spent,
    uniqExact(person_key)             AS persons,
    uniqExact(device_key)               AS devices
FROM $counted
WHERE name != '' OR revenue IS NOT NULL
GROUP BY name, currency
ORDER BY persons DESC, actions DESC, name, currency
LIMIT {limit:UInt32}
