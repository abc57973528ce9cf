-- When was the action that so many came after, up to a place in time? No row: fewer did.
-- It only says where to begin to look, so every version of an action counts, and bots do.
SELECT ts
FROM action_log
PREWHERE workspace = {workspace:String}
  AND day BETWEEN toDate({after:DateTime64(3, 'UTC')}) - 7 AND toDate({before:DateTime64(3, 'UTC')}) + 7
  AND ts >= {after:DateTime64(3, 'UTC')} AND ts <= {before:DateTime64(3, 'UTC')}
ORDER BY ts DESC
LIMIT 1 OFFSET {count:UInt32}
