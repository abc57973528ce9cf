-- What reports count, narrow and by day: the same rows as action_log, by the same versions, without the texts. A row's key
-- is that of action_log with the day first and hashes for the texts, so a period is read alone, parts of other days are
-- not merged with it, and what is merged are numbers. Links, restitching and repetitions insert into action_log, and so
-- come here too. 128 bits of hash under one day: two rows never meet. A week is a partition, which FINAL reads beside the
-- others; one that nothing came to for an hour is merged to one part, of which FINAL costs next to nothing.
CREATE TABLE IF NOT EXISTS action_facts
(
    workspace   LowCardinality(String),
    day         Date,
    device_key  UInt64                  CODEC(ZSTD(1))        COMMENT 'cityHash64(device)',
    event_key   UInt64                  CODEC(NONE)           COMMENT 'cityHash64(event_id)',
    event_head  UInt64                  CODEC(ZSTD(1))        COMMENT 'the first 8 bytes of event_id: its order where times are equal',
    ts          DateTime64(3, 'UTC')    CODEC(Delta, ZSTD(1)),
    person_id   UUID                    CODEC(ZSTD(1)),
    attribution LowCardinality(String),
    device_type LowCardinality(String),
    name        LowCardinality(String),
    revenue     Nullable(Float64),
    currency    LowCardinality(String),
    bot         Bool,
    stub        Bool                                          COMMENT 'a login of somebody who was forgotten',
    version     UInt64                  CODEC(Delta, ZSTD(1))
)
ENGINE = ReplacingMergeTree(version)
PARTITION BY toMonday(day)
ORDER BY (workspace, day, device_key, event_key)
SETTINGS min_age_to_force_merge_seconds = 3600, min_age_to_force_merge_on_partition_only = 1, cleanup_delay_period = 3, max_cleanup_delay_period = 6, cleanup_delay_period_random_add = 1;

CREATE MATERIALIZED VIEW IF NOT EXISTS action_facts_from_action_log TO action_facts AS
SELECT
    workspace, day, cityHash64(device) AS device_key, cityHash64(event_id) AS event_key,
    byteSwap(reinterpretAsUInt64(substring(event_id, 1, 8))) AS event_head,
    ts, person_id, attribution, device_type, name, revenue, currency, bot, startsWith(user_id, 'erased:') AS stub, version
FROM action_log;

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
INSERT INTO action_facts
SELECT
    workspace, day, cityHash64(device), cityHash64(event_id), byteSwap(reinterpretAsUInt64(substring(event_id, 1, 8))),
    ts, person_id, attribution, device_type, name, revenue, currency, bot, startsWith(user_id, 'erased:'), version
FROM action_log;

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

-- The view `actions`, for counting: the same rows and persons.
CREATE VIEW IF NOT EXISTS facts AS
SELECT
    workspace, day, device_key, event_key, event_head, ts,
    dictGetOrDefault('$database.canonical_persons', 'canonical_id', action_facts.person_id, action_facts.person_id) AS person_id,
    attribution, device_type, name, revenue, currency, bot
FROM action_facts FINAL
WHERE NOT stub
SETTINGS do_not_merge_across_partitions_select_final = 1;
