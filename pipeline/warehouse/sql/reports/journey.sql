-- What did this person do next? A page of actions after a place in the journey, oldest first.
SELECT
    ts, event_id, device, type, name, url, title, referrer, attribution, user_id, logout, device_type, browser, os,
    country, language, site_id, campaign_source, campaign_medium, campaign_name, revenue, currency, clock, late, protocol
FROM $theirs
WHERE (ts, event_id, device) > ({after_ts:DateTime64(3, 'UTC')}, {after_event:String}, {after_device:String})
ORDER BY ts, event_id, device
LIMIT {limit:UInt32}
