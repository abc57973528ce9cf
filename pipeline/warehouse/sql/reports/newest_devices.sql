-- Only the devices of actions since `newest`: any version of one will do, so none is missed.
device IN
(
    SELECT device
    FROM action_log
    PREWHERE workspace = {workspace:String}
      AND day BETWEEN toDate({since:DateTime64(3, 'UTC')}) - 7 AND toDate({until:DateTime64(3, 'UTC')}) + 7
      AND ts >= {newest:DateTime64(3, 'UTC')} AND ts < {until:DateTime64(3, 'UTC')}
      AND ts <= {before_ts:DateTime64(3, 'UTC')}
    WHERE NOT stub AND (NOT bot OR {bots:Bool})
)
