-- Every decision that ever covered this instant on this device, oldest first.
SELECT decided_at, person_id, user_id, toString(attribution), event_id, late
FROM identity_links FINAL
WHERE workspace = {workspace:String} AND device = {device:String}
  AND parseDateTime64BestEffort({at:String}, 3, 'UTC') BETWEEN start AND end
ORDER BY version, start
