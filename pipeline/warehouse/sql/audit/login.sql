-- The login of this user on this device at this instant; of several, one that holds.
SELECT event_id, ts, device, user_id, toString(site_id), toString(protocol), holds AND NOT logout
FROM identity_facts FINAL
WHERE workspace = {workspace:String} AND device = {device:String} AND user_id = {user_id:String}
  AND ts = parseDateTime64BestEffort({at:String}, 3, 'UTC')
ORDER BY holds AND NOT logout DESC, event_id
LIMIT 1
