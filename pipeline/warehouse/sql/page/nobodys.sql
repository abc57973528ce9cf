-- What was done on this person's devices, while it was theirs, that belongs to nobody. Newest first.
SELECT
    ts, event_id, device, type, name, url, title, referrer, attribution, user_id, logout, device_type, browser, os,
    country, language, site_id, campaign_source, campaign_medium, campaign_name, revenue, currency, clock, late, protocol
FROM actions
WHERE workspace = {workspace:String} AND device IN {devices:Array(String)} AND attribution = 'anonymous'
  AND person_id != {person:UUID} AND anonymous_id != '' AND NOT bot
  AND ts >= {since:DateTime64(3, 'UTC')} AND ts <= {until:DateTime64(3, 'UTC')}
ORDER BY ts DESC, event_id DESC
LIMIT {limit:UInt32}
