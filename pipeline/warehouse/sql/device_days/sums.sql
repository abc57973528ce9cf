-- What was done, by device, person and part of a day: days as they were added up, the pieces of those that the period or
-- the time zone cuts, and the rows of what has changed since.
(
    SELECT
        device_key,
        dictGetOrDefault('canonical_keys', 'canonical_key', stitched_key, stitched_key) AS person_key,
        at, identified, carried, backfilled, anonymous
    FROM
    (
        SELECT device_key, person_key AS stitched_key, first_ts AS at, identified, carried, backfilled, anonymous
        FROM device_days FINAL
        WHERE $within AND $whole AND (NOT bot OR {bots:Bool})
        UNION ALL
        SELECT device_key, slot.person_key, slot.at, slot.identified, slot.carried, slot.backfilled, slot.anonymous
        FROM device_days FINAL
        ARRAY JOIN slot
        WHERE $within
          AND NOT ($whole)
          AND slot.at >= {since:DateTime64(3, 'UTC')} AND slot.at < {until:DateTime64(3, 'UTC')}
          AND (NOT slot.bot OR {bots:Bool})
        UNION ALL
        SELECT
            device_key, cityHash64(action_log.person_id), ts, attribution = 'identified', attribution = 'carried',
            attribution = 'backfilled', attribution = 'anonymous'
        FROM $changed_rows
    )
) AS sums
