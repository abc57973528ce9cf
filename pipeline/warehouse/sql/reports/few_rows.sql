-- What these persons did in the period, as much of it as their figures take.
(
    SELECT
        dictGetOrDefault('canonical_persons', 'canonical_id', action_log.person_id, action_log.person_id) AS person_id,
        device_key, ts, attribution, device_type, revenue
    FROM action_log FINAL
    PREWHERE workspace = {workspace:String}
      AND device IN $few_devices
      AND day BETWEEN toDate({since:DateTime64(3, 'UTC')}) - 7 AND toDate({until:DateTime64(3, 'UTC')}) + 7
    WHERE NOT stub
      AND ts >= {since:DateTime64(3, 'UTC')} AND ts < {until:DateTime64(3, 'UTC')}
      AND (NOT bot OR {bots:Bool})
) AS few_rows
