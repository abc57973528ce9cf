-- Actions with a name or revenue: when, by whom, on what, and what for.
(
    SELECT
        device_key,
        dictGetOrDefault('canonical_keys', 'canonical_key', stitched_key, stitched_key) AS person_key,
        at, name, paid, revenue, currency, kind
    FROM
    (
        SELECT
            device_key, named.person_key AS stitched_key, (named.ts, named.event_id) AS at, named.name AS name,
            named.paid AS paid, named.revenue AS revenue, named.currency AS currency, named.kind AS kind
        FROM device_days FINAL
        ARRAY JOIN named
        WHERE $within
          AND named.ts >= {since:DateTime64(3, 'UTC')} AND named.ts < {until:DateTime64(3, 'UTC')}
          AND (NOT named.bot OR {bots:Bool})
        UNION ALL
        SELECT
            device_key, cityHash64(action_log.person_id), (ts, event_id), name, revenue IS NOT NULL, ifNull(revenue, 0),
            currency, device_type
        FROM $changed_rows
          AND (name != '' OR revenue IS NOT NULL)
    )
) AS named
