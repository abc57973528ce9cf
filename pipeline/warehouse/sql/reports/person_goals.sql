-- What did this person do that has a name, how often, and for how much?
SELECT
    name,
    currency,
    count()                          AS actions,
    countIf(revenue IS NOT NULL)     AS conversions,
    sum(ifNull(revenue, 0))          AS spent,
    uniqExact(device)                AS devices,
    min(ts)                          AS first_seen,
    max(ts)                          AS last_seen
FROM $theirs
WHERE name != '' OR revenue IS NOT NULL
GROUP BY name, currency
ORDER BY actions DESC, name, currency
LIMIT {limit:UInt32}
