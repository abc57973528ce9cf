-- Which epoch the versions of a log stand in. A hits topic or log file that is new gets the next one, so that its
-- offsets, which start again at nought, still make higher versions than those before it.
CREATE TABLE IF NOT EXISTS log_epochs
(
    topic      LowCardinality(String),
    log_id     String,
    epoch      UInt16,
    created_at DateTime64(3, 'UTC') DEFAULT now64(3, 'UTC')
)
ENGINE = ReplacingMergeTree(epoch)
ORDER BY (topic, log_id);
