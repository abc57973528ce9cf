-- What could not be processed, with its original bytes. The id says where the bytes stand, and the time when the log took
-- them (a log made anew counts its offsets from nought again): the same failure met twice is one row.
CREATE TABLE IF NOT EXISTS dead_letters
(
    id          String,
    source      String                  COMMENT 'where the bytes stand: topic/partition/offset[/line]',
    reason      LowCardinality(String)  COMMENT 'a stable code',
    detail      String                  CODEC(ZSTD(1)),
    received_at DateTime64(3, 'UTC'),
    workspace   LowCardinality(String),
    site_id     LowCardinality(String),
    payload     String                  CODEC(ZSTD(3)) COMMENT 'the original bytes, base64'
)
ENGINE = ReplacingMergeTree
ORDER BY (id, received_at);
