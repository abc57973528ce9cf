-- Whom to forget again whenever they come back: keyed hashes, no names.
CREATE TABLE IF NOT EXISTS suppressions
(
    workspace   LowCardinality(String),
    kind        LowCardinality(String)  COMMENT 'user; device: all of it; span: a stretch of a device others use too',
    hash        String                  COMMENT 'HMAC-SHA-256 under the erasure key, its first 32 hex digits',
    since       DateTime64(3, 'UTC')    COMMENT 'of a device or span: the first instant that was theirs',
    until       DateTime64(3, 'UTC')    COMMENT 'the last one',
    certificate UUID,
    erased_at   DateTime64(3, 'UTC')
)
ENGINE = ReplacingMergeTree(erased_at)
ORDER BY (workspace, kind, hash, since);

-- Who a user was under the key before, while a site changes keys.
ALTER TABLE action_log ADD COLUMN IF NOT EXISTS former_id String CODEC(ZSTD(1)) AFTER user_id;

-- The deduplicated truth, without the stubs that stand for logins of people who were forgotten.
CREATE OR REPLACE VIEW actions AS
SELECT
    event_id, workspace, site_id, ts, received_at, type, name, anonymous_id, user_id,
    dictGetOrDefault('$database.canonical_persons', 'canonical_id', action_log.person_id, action_log.person_id) AS person_id,
    attribution, url, device_type, properties,
    device, day, protocol, holds, logout, referrer, title, browser, os, language, country, ip,
    campaign_source, campaign_medium, campaign_name, campaign_term, campaign_content,
    revenue, currency, bot, clock, traits, traits_once, former_id, version, late,
    action_log.person_id AS stitched_person_id
FROM action_log FINAL
WHERE NOT startsWith(user_id, 'erased:')
SETTINGS do_not_merge_across_partitions_select_final = 1;

-- How soon replaced files can be gone when somebody is forgotten: the thread that removes them looks every few seconds.
ALTER TABLE action_log MODIFY SETTING cleanup_delay_period = 3, max_cleanup_delay_period = 6, cleanup_delay_period_random_add = 1;
ALTER TABLE identity_facts MODIFY SETTING cleanup_delay_period = 3, max_cleanup_delay_period = 6, cleanup_delay_period_random_add = 1;
ALTER TABLE identity_links MODIFY SETTING cleanup_delay_period = 3, max_cleanup_delay_period = 6, cleanup_delay_period_random_add = 1;
ALTER TABLE person_devices MODIFY SETTING cleanup_delay_period = 3, max_cleanup_delay_period = 6, cleanup_delay_period_random_add = 1;
ALTER TABLE alias_statements MODIFY SETTING cleanup_delay_period = 3, max_cleanup_delay_period = 6, cleanup_delay_period_random_add = 1;
ALTER TABLE person_merges MODIFY SETTING cleanup_delay_period = 3, max_cleanup_delay_period = 6, cleanup_delay_period_random_add = 1;
ALTER TABLE merge_components MODIFY SETTING cleanup_delay_period = 3, max_cleanup_delay_period = 6, cleanup_delay_period_random_add = 1;
ALTER TABLE merged_persons MODIFY SETTING cleanup_delay_period = 3, max_cleanup_delay_period = 6, cleanup_delay_period_random_add = 1;
ALTER TABLE dead_letters MODIFY SETTING cleanup_delay_period = 3, max_cleanup_delay_period = 6, cleanup_delay_period_random_add = 1;
ALTER TABLE links_staged MODIFY SETTING cleanup_delay_period = 3, max_cleanup_delay_period = 6, cleanup_delay_period_random_add = 1;
ALTER TABLE aliases_staged MODIFY SETTING cleanup_delay_period = 3, max_cleanup_delay_period = 6, cleanup_delay_period_random_add = 1;
