-- Facts about a person of which the oldest value counts (PostHog's $set_once).
ALTER TABLE action_log ADD COLUMN IF NOT EXISTS traits_once String DEFAULT '{}' COMMENT 'JSON object, as sent' CODEC(ZSTD(1)) AFTER traits;

CREATE OR REPLACE VIEW actions AS
SELECT
    event_id, workspace, site_id, ts, received_at, type, name, anonymous_id, user_id, person_id, attribution,
    url, device_type, properties,
    device, day, protocol, holds, logout, referrer, title, browser, os, language, country, ip,
    campaign_source, campaign_medium, campaign_name, campaign_term, campaign_content,
    revenue, currency, bot, clock, traits, traits_once, version, late
FROM action_log FINAL
SETTINGS do_not_merge_across_partitions_select_final = 1;
