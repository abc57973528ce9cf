-- What was done that has a name, by how many, and for how much?
SELECT
    name,
    currency,
    count()                          AS actions,
    countIf(paid)                    AS conversions,
    sum(revenue)                     AS spent,
    uniqExact(person_key)            AS persons,
    uniqExact(device_key)            AS devices
FROM $named
GROUP BY name, currency
ORDER BY persons DESC, actions DESC, name, currency
LIMIT {limit:UInt32}
