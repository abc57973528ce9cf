-- What was done, by device and person, in stretches without a pause: the first and last moment of each, and the kind of
-- device at its last.
(
    SELECT
        device_key,
        dictGetOrDefault('canonical_keys', 'canonical_key', stitched_key, stitched_key) AS person_key,
        arrayMap(moment -> toUnixTimestamp64Milli(moment), ends) AS moments,
        kind
    FROM
    (
        SELECT device_key, person_key AS stitched_key, if(first_ts = last_ts, [last_ts], [first_ts, last_ts]) AS ends, last_kind AS kind
        FROM device_days FINAL
        WHERE $within
          AND empty(slot.at)
          AND first_ts >= {since:DateTime64(3, 'UTC')} AND first_ts < {until:DateTime64(3, 'UTC')}
          AND (NOT bot OR {bots:Bool})
        UNION ALL
        SELECT device_key, slot.person_key, [slot.at, slot.last], slot.last_kind
        FROM device_days FINAL
        ARRAY JOIN slot
        WHERE $within
          AND slot.at >= {since:DateTime64(3, 'UTC')} AND slot.at < {until:DateTime64(3, 'UTC')}
          AND (NOT slot.bot OR {bots:Bool})
        UNION ALL
        SELECT device_key, cityHash64(action_log.person_id), [ts], device_type
        FROM $changed_rows
    )
) AS spans
