-- On which days somebody of this workspace was erased, the latest first: keyed hashes say no more.
SELECT toDate(erased_at, {zone:String}) AS date, uniqExact(certificate) AS erasures
FROM suppressions FINAL
WHERE workspace = {workspace:String}
GROUP BY date
ORDER BY date DESC
LIMIT 3
