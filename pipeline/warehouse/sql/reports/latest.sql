-- What arrived last? A page of actions by arrival, the newest first.
SELECT
    received_at, ts, event_id, device, person_id, user_id, attribution, type, name, url, title, device_type, browser, os,
    country, site_id, logout, revenue, currency
FROM $counted
WHERE (received_at, event_id) > ({after_received:DateTime64(3, 'UTC')}, {after_event:String})
ORDER BY received_at DESC, event_id DESC
LIMIT {limit:UInt32}
