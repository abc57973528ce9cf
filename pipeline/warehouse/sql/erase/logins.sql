-- Their logins where others sign in too: when, and how it ended, without what was looked at.
SELECT
    toString(workspace) AS workspace, toString(site_id) AS site_id, event_id, ts, received_at, device, toString(day) AS day,
    toString(protocol) AS protocol, anonymous_id, user_id, holds, logout, version
FROM action_log FINAL
WHERE (workspace, device, day, event_id) IN (SELECT workspace, device, day, event_id FROM erasing_rows)
  AND (workspace, device) NOT IN (SELECT workspace, device FROM erasing_devices)
  AND user_id != ''
  AND anonymous_id != ''
