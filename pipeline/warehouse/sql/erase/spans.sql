-- Stretches of shared devices in which every action is theirs, by the actions around them.
SELECT device, min(ts) AS since, max(ts) AS until
FROM
(
    SELECT workspace, device, ts, hers, sum(NOT hers) OVER (PARTITION BY workspace, device ORDER BY ts, hers) AS run
    FROM
    (
        SELECT
            workspace, device, ts,
            (workspace, device, day, event_id) IN (SELECT workspace, device, day, event_id FROM erasing_rows) AS hers
        FROM action_log FINAL
        WHERE (workspace, device) IN (SELECT workspace, device FROM erasing_rows)
          AND (workspace, device) NOT IN (SELECT workspace, device FROM erasing_devices)
          AND startsWith(device, 'd:')
    )
)
WHERE hers
GROUP BY workspace, device, run
