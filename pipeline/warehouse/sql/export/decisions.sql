-- Decisions that gave them a stretch of a device.
SELECT device, start, end, user_id, attribution, event_id, decided_at
FROM identity_links FINAL
WHERE (workspace, device) GLOBAL IN (SELECT workspace, device FROM devices_of_person(person = {person:UUID}))
  AND has({users:Array(String)}, user_id)
ORDER BY decided_at, device, start
