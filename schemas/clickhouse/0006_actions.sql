-- The deduplicated truth: one row an action, newest version. The one place where a person is resolved: every other
-- view, and every reader, starts here. The day is in the key and its month is the partition, so no row has versions in
-- two partitions and each can be read alone.
CREATE VIEW IF NOT EXISTS actions AS
SELECT
    event_id, workspace, site_id, ts, received_at, type, name, anonymous_id, user_id, person_id, attribution,
    url, device_type, properties,
    device, day, protocol, holds, logout, referrer, title, browser, os, language, country, ip,
    campaign_source, campaign_medium, campaign_name, campaign_term, campaign_content,
    revenue, currency, bot, clock, traits, version, late
FROM action_log FINAL
SETTINGS do_not_merge_across_partitions_select_final = 1;
