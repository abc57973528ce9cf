-- With what each person began on each device, and on what kind of device: one or more of each pair, the first among them.
(
    SELECT
        device_key,
        dictGetOrDefault('canonical_keys', 'canonical_key', stitched_key, stitched_key) AS person_key,
        first,
        if(kind = '', 'unknown', toString(kind)) AS kind
    FROM
    (
        SELECT device_key, person_key AS stitched_key, (first_ts, first_event) AS first, kind
        FROM device_days FINAL
        WHERE $within AND $whole AND (NOT bot OR {bots:Bool})
        UNION ALL
        SELECT device_key, slot.person_key, (slot.at, slot.first_event), slot.kind
        FROM device_days FINAL
        ARRAY JOIN slot
        WHERE $within
          AND NOT ($whole)
          AND slot.at >= {since:DateTime64(3, 'UTC')} AND slot.at < {until:DateTime64(3, 'UTC')}
          AND (NOT slot.bot OR {bots:Bool})
        UNION ALL
        SELECT device_key, cityHash64(action_log.person_id), (ts, event_id), device_type
        FROM $changed_rows
    )
) AS firsts
