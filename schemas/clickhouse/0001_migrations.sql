-- Which files of this directory have been applied. Read and written by the migrator alone.
CREATE TABLE IF NOT EXISTS migrations
(
    file       String,
    checksum   FixedString(64)         COMMENT 'SHA-256 of the file, lower-case hex',
    applied_at DateTime64(3, 'UTC')    DEFAULT now64(3, 'UTC')
)
ENGINE = ReplacingMergeTree(applied_at)
ORDER BY file;
