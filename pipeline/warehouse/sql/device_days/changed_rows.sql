-- The rows of the days of devices that have changed since they were added up.
action_log FINAL
PREWHERE workspace = {workspace:String}
  AND day BETWEEN toDate({since:DateTime64(3, 'UTC')}) - 7 AND toDate({until:DateTime64(3, 'UTC')}) + 7
  AND (device, day) IN
  (
      SELECT device, day
      FROM device_days_due
      WHERE _part IN {changed:Array(String)} AND workspace = {workspace:String}
  )
WHERE NOT stub
  AND ts >= {since:DateTime64(3, 'UTC')} AND ts < {until:DateTime64(3, 'UTC')}
  AND (NOT bot OR {bots:Bool})
