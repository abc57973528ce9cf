-- What did this person do before? A page of actions before a place in the journey, newest first.
SELECT
    ts, event_id, device, type, name, url, title, referrer, attribution, user_id, logout, device_type, browser, os,
    country, language, site_id, campaign_source, campaign_medium, campaign_name, revenue, currency, clock, late, protocol
FROM $theirs
WHERE (ts, event_id, device) < ({before_ts:DateTime64(3, 'UTC')}, {before_event:String}, {before_device:String})
ORDER BY ts DESC, event_id DESC, device DESC
LIMIT {limit:UInt32}
