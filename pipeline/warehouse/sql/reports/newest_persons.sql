-- Who did something since `newest`, and nothing after a place in time on the same device? The latest first, and when.
-- Where only the newest actions are read, older versions of one count too. So some are told who are not meant, as those are
-- who were somewhere else later; nobody is missed, or told with too early a time.
SELECT
    dictGetOrDefault('canonical_persons', 'canonical_id', action_log.person_id, action_log.person_id) AS person_id,
    toUnixTimestamp64Milli(max(ts)) AS last_ms
FROM $actions
PREWHERE workspace = {workspace:String}
  AND day BETWEEN toDate({since:DateTime64(3, 'UTC')}) - 7 AND toDate({until:DateTime64(3, 'UTC')}) + 7
  AND $newest
WHERE NOT stub
  AND ts >= {newest:DateTime64(3, 'UTC')} AND ts < {until:DateTime64(3, 'UTC')}
  AND (NOT bot OR {bots:Bool})
GROUP BY person_id
HAVING max(ts) <= {before_ts:DateTime64(3, 'UTC')}
ORDER BY last_ms DESC
LIMIT {limit:UInt32}
