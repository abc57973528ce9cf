-- Who did the newest actions up to a place in time, the latest first, and when? Any version of an action will do: some who
-- are told have others by now, and nobody is missed.
SELECT
    dictGetOrDefault('canonical_persons', 'canonical_id', action_log.person_id, action_log.person_id) AS person_id,
    toUnixTimestamp64Milli(max(ts)) AS last_ms
FROM action_log
PREWHERE workspace = {workspace:String}
  AND day BETWEEN toDate({since:DateTime64(3, 'UTC')}) - 7 AND toDate({until:DateTime64(3, 'UTC')}) + 7
  AND ts >= {newest:DateTime64(3, 'UTC')} AND ts < {until:DateTime64(3, 'UTC')}
  AND ts <= {before:DateTime64(3, 'UTC')}
WHERE NOT stub AND (NOT bot OR {bots:Bool})
GROUP BY person_id
ORDER BY last_ms DESC
LIMIT {limit:UInt32}
