-- Everybody who was ever forgotten, by keyed hashes.
SELECT toString(kind) AS kind, hash, toUnixTimestamp64Milli(since) AS since, toUnixTimestamp64Milli(until) AS until
FROM suppressions FINAL
