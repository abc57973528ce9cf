-- What a device did on a day, added up once by the sink and not by every report: see `pipeline/sink/device_days.py`.
-- Not for reading: a day of a device that is in `device_days_due` has changed since, and is added up from its rows.
-- Persons stand in it as the stitcher made them, by cityHash64(person_id); so aliases change nothing here.
-- Most days are of one person, in one quarter of an hour. Only where one is not, `slot` has each quarter, person and bot
-- or not, by themselves: what a period, a time zone or a person cuts out of a day. All time zones shift by quarters.
CREATE TABLE IF NOT EXISTS device_days
(
    workspace       LowCardinality(String),
    day             Date                                                COMMENT 'as in action_log',
    device_key      UInt64                              CODEC(ZSTD(1))  COMMENT 'cityHash64(device)',
    version         UInt64                              CODEC(ZSTD(1))  COMMENT 'the highest of its rows: a sum with more of them has no lower one',
    first_ts        DateTime64(3, 'UTC')                CODEC(ZSTD(1)),
    last_ts         DateTime64(3, 'UTC')                CODEC(ZSTD(1)),
    mixed           Bool                                                COMMENT 'of several persons, or of bots and others',
    bot             Bool,
    person_key      UInt64                              CODEC(ZSTD(1)),
    identified      UInt32                              CODEC(ZSTD(1)),
    carried         UInt32                              CODEC(ZSTD(1)),
    backfilled      UInt32                              CODEC(ZSTD(1)),
    anonymous       UInt32                              CODEC(ZSTD(1)),
    first_event     String                              CODEC(ZSTD(1))  COMMENT 'event ID, at first_ts the least',
    kind            LowCardinality(String)                              COMMENT 'device_type of the first',
    slot Nested
    (
        at          DateTime64(3, 'UTC'),
        bot         Bool,
        person_key  UInt64,
        identified  UInt32,
        carried     UInt32,
        backfilled  UInt32,
        anonymous   UInt32,
        first_event String,
        kind        LowCardinality(String)
    )                                                                   COMMENT 'at: of its first action; empty if there is one slot',
    named Nested
    (
        ts          DateTime64(3, 'UTC'),
        bot         Bool,
        person_key  UInt64,
        event_id    String,
        name        LowCardinality(String),
        paid        Bool,
        revenue     Float64,
        currency    LowCardinality(String),
        kind        LowCardinality(String)
    )                                                                   COMMENT 'actions with a name or revenue',
    INDEX span (first_ts, last_ts) TYPE minmax GRANULARITY 1
)
ENGINE = ReplacingMergeTree(version)
PARTITION BY toYYYYMM(day)
ORDER BY (workspace, day, device_key)
SETTINGS min_age_to_force_merge_seconds = 3600, min_age_to_force_merge_on_partition_only = 1;

-- Which days of which devices had rows written since: a part an insert, never merged, dropped when it has been added up.
-- A row without a device: the whole month of its day.
CREATE TABLE IF NOT EXISTS device_days_due
(
    workspace LowCardinality(String),
    device    String CODEC(ZSTD(1)),
    day       Date
)
ENGINE = MergeTree
ORDER BY (workspace, device, day)
SETTINGS max_bytes_to_merge_at_max_space_in_pool = 1, max_bytes_to_merge_at_min_space_in_pool = 1,
    parts_to_delay_insert = 100000, parts_to_throw_insert = 100000;

CREATE MATERIALIZED VIEW IF NOT EXISTS device_days_due_from_action_log TO device_days_due AS
SELECT DISTINCT workspace, device, day
FROM action_log;

-- What was there before.
INSERT INTO device_days_due
SELECT DISTINCT '', '', toStartOfMonth(day) FROM action_log;

-- Person to canonical person, both by their hash: a third of the time of looking up UUIDs.
CREATE DICTIONARY IF NOT EXISTS canonical_keys
(
    person_key    UInt64,
    canonical_key UInt64
)
PRIMARY KEY person_key
SOURCE(CLICKHOUSE($credentials
    QUERY 'SELECT cityHash64(person_id) AS person_key, cityHash64(canonical_id) AS canonical_key FROM $database.person_merges FINAL WHERE canonical_id != person_id'
    INVALIDATE_QUERY 'SELECT count(), sum(version), max(version) FROM $database.person_merges'
))
LAYOUT(HASHED())
LIFETIME(MIN 1 MAX 3);
