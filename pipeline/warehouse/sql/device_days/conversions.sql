-- Who reached the goal, or paid, when, on which kind of device and what for.
(
    SELECT
        dictGetOrDefault('canonical_keys', 'canonical_key', stitched_key, stitched_key) AS person_key,
        at,
        if(kind = '', 'unknown', toString(kind)) AS kind,
        spent,
        toString(money) AS currency
    FROM
    (
        SELECT
            named.person_key AS stitched_key, (named.ts, named.event_id) AS at, named.kind AS kind, named.revenue AS spent,
            named.currency AS money
        FROM device_days FINAL
        ARRAY JOIN named
        WHERE $within
          AND named.ts >= {since:DateTime64(3, 'UTC')} AND named.ts < {until:DateTime64(3, 'UTC')}
          AND (NOT named.bot OR {bots:Bool})
          AND if({goal:String} = '', named.paid, named.name = {goal:String})
        UNION ALL
        SELECT cityHash64(action_log.person_id), (ts, event_id), device_type, ifNull(revenue, 0), currency
        FROM $changed_rows
          AND if({goal:String} = '', revenue IS NOT NULL, name = {goal:String})
    )
) AS conversions
