-- What reports count by, worked out once when a row is written and not by every question: a device as a number, and
-- whether the row is a stub. Rows that are there already get theirs in the background, and until then when they are read.
ALTER TABLE action_log ADD COLUMN IF NOT EXISTS device_key UInt64 MATERIALIZED cityHash64(device) COMMENT 'cityHash64(device): reports count by it' CODEC(ZSTD(1));
ALTER TABLE action_log ADD COLUMN IF NOT EXISTS stub Bool MATERIALIZED startsWith(user_id, 'erased:') COMMENT 'a login of somebody who was forgotten: what is left of it';
ALTER TABLE action_log MATERIALIZE COLUMN device_key SETTINGS mutations_sync = 0;
ALTER TABLE action_log MATERIALIZE COLUMN stub SETTINGS mutations_sync = 0;

-- A month that nothing came to for an hour becomes one part: of that, nothing has to be merged while it is read.
ALTER TABLE action_log MODIFY SETTING min_age_to_force_merge_seconds = 3600, min_age_to_force_merge_on_partition_only = 1;

CREATE OR REPLACE VIEW actions AS
SELECT
    event_id, workspace, site_id, ts, received_at, type, name, anonymous_id, user_id,
    dictGetOrDefault('$database.canonical_persons', 'canonical_id', action_log.person_id, action_log.person_id) AS person_id,
    attribution, url, device_type, properties,
    device, day, protocol, holds, logout, referrer, title, browser, os, language, country, ip,
    campaign_source, campaign_medium, campaign_name, campaign_term, campaign_content,
    revenue, currency, bot, clock, traits, traits_once, former_id, version, late,
    action_log.person_id AS stitched_person_id, illegal_id, device_key
FROM action_log FINAL
WHERE NOT stub
SETTINGS do_not_merge_across_partitions_select_final = 1;

-- Every user ID that was ever said, and whose it is: what a part of one is looked for in.
CREATE TABLE IF NOT EXISTS user_names
(
    workspace LowCardinality(String),
    user_id   String,
    person_id UUID                   CODEC(ZSTD(1)),
    ts        DateTime64(3, 'UTC')   COMMENT 'of the latest action that says it'
)
ENGINE = ReplacingMergeTree(ts)
ORDER BY (workspace, user_id)
SETTINGS cleanup_delay_period = 3, max_cleanup_delay_period = 6, cleanup_delay_period_random_add = 1;

CREATE MATERIALIZED VIEW IF NOT EXISTS user_names_from_action_log TO user_names AS
SELECT workspace, user_id, any(action_log.person_id) AS person_id, max(action_log.ts) AS ts
FROM action_log
WHERE user_id != '' AND NOT startsWith(user_id, 'erased:')
GROUP BY workspace, user_id;

-- Every value of a trait that was ever said, and on which action: a superset, for what a part of one is looked for in.
CREATE TABLE IF NOT EXISTS trait_values
(
    workspace LowCardinality(String),
    value     String,
    device    String                CODEC(ZSTD(1)),
    day       Date,
    event_id  String                CODEC(ZSTD(1)),
    person_id UUID                  CODEC(ZSTD(1)),
    ts        DateTime64(3, 'UTC')
)
ENGINE = ReplacingMergeTree
ORDER BY (workspace, value, device, day, event_id, person_id)
SETTINGS cleanup_delay_period = 3, max_cleanup_delay_period = 6, cleanup_delay_period_random_add = 1;

CREATE MATERIALIZED VIEW IF NOT EXISTS trait_values_from_action_log TO trait_values AS
SELECT workspace, if(startsWith(raw, '"'), JSONExtractString(raw), raw) AS value, device, day, event_id, person_id, ts
FROM
(
    SELECT
        workspace, device, day, event_id, person_id, ts,
        arrayJoin(arrayConcat(JSONExtractKeysAndValuesRaw(traits), JSONExtractKeysAndValuesRaw(traits_once))).2 AS raw
    FROM action_log
    WHERE traits != '{}' OR traits_once != '{}'
);

-- What was there before. Rows that come meanwhile come through the views above, and twice is once.
INSERT INTO user_names
SELECT workspace, user_id, any(action_log.person_id), max(action_log.ts)
FROM action_log
WHERE user_id != '' AND NOT startsWith(user_id, 'erased:')
GROUP BY workspace, user_id;

INSERT INTO trait_values
SELECT workspace, if(startsWith(raw, '"'), JSONExtractString(raw), raw), device, day, event_id, person_id, ts
FROM
(
    SELECT
        workspace, device, day, event_id, person_id, ts,
        arrayJoin(arrayConcat(JSONExtractKeysAndValuesRaw(traits), JSONExtractKeysAndValuesRaw(traits_once))).2 AS raw
    FROM action_log
    WHERE traits != '{}' OR traits_once != '{}'
);
