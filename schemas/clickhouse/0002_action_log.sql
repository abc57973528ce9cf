-- Every stitched row as it came off the log, one or more versions of each. Not for reading: the view `actions` is.
-- A row is its (workspace, device, day, event_id); the highest version is the truth. Attribution and person are never in
-- the key: a row must replace itself when its person changes. The day is in the key and the partition is its month, so
-- two versions of a row never stand in two partitions.
-- Small granules and blocks: links and journeys read a few devices, and a granule is the least that can be read (100 links
-- cost a third of what they cost with the default 8192; scans and size are the same).
-- Columns that are mostly empty are plain: empty text is stored sparsely, and a dictionary a block costs more than it saves.
-- Defaults repeat those of the model: the log leaves a field out when it has its default.
CREATE TABLE IF NOT EXISTS action_log
(
    workspace        LowCardinality(String),
    site_id          LowCardinality(String),
    event_id         String                  CODEC(ZSTD(1)),
    ts               DateTime64(3, 'UTC')    CODEC(Delta, ZSTD(1))  COMMENT 'event time, clock-corrected',
    received_at      DateTime64(3, 'UTC')    CODEC(Delta, ZSTD(1)),
    device           String                  CODEC(ZSTD(1))         COMMENT 'd: + anonymous ID, else u: + user ID, else h: + event ID',
    day              Date                                           COMMENT 'UTC day of the uncorrected client time, else of arrival',
    protocol         LowCardinality(String)  DEFAULT 'native',
    type             LowCardinality(String)  DEFAULT 'track',
    name             LowCardinality(String),
    anonymous_id     String                  CODEC(ZSTD(1)),
    user_id          String                  CODEC(ZSTD(1))         COMMENT 'as sent with this hit; empty on carried and backfilled rows',
    holds            Bool                    DEFAULT false,
    logout           Bool                    DEFAULT false,
    url              String                  CODEC(ZSTD(1)),
    referrer         String                  CODEC(ZSTD(1)),
    title            String                  CODEC(ZSTD(1)),
    device_type      LowCardinality(String),
    browser          LowCardinality(String),
    os               LowCardinality(String),
    language         LowCardinality(String),
    country          LowCardinality(String),
    ip               String                  CODEC(ZSTD(1))         COMMENT 'truncated before the log',
    campaign_source  String,
    campaign_medium  String,
    campaign_name    String,
    campaign_term    String                  CODEC(ZSTD(1)),
    campaign_content String                  CODEC(ZSTD(1)),
    revenue          Nullable(Float64),
    currency         String,
    bot              Bool                    DEFAULT false,
    clock            String                                         COMMENT 'corrected, clamped or empty',
    properties       String                  DEFAULT '{}' CODEC(ZSTD(1)) COMMENT 'JSON object, as sent',
    traits           String                  DEFAULT '{}' CODEC(ZSTD(1)) COMMENT 'JSON object, as sent',
    person_id        UUID                    CODEC(ZSTD(1)),
    attribution      LowCardinality(String)                         COMMENT 'identified, carried, backfilled or anonymous',
    version          UInt64                  CODEC(Delta, ZSTD(1))  COMMENT 'log epoch x 2^48 + offset of the record that decided',
    late             Bool                    DEFAULT false          COMMENT 'arrived after the facts it needs were pruned',
    CONSTRAINT complete CHECK workspace != '' AND device != '' AND event_id != '' AND version > 0 AND ts >= toDateTime64('2000-01-01 00:00:00', 3, 'UTC')
)
ENGINE = ReplacingMergeTree(version)
PARTITION BY toYYYYMM(day)
ORDER BY (workspace, device, day, event_id)
SETTINGS index_granularity = 1024, min_compress_block_size = 16384;
