-- Every statement that two user IDs are one person, and every withdrawal: a set, kept for good. Which of them count is
-- worked out from all of them; none is ever changed.
CREATE TABLE IF NOT EXISTS alias_statements
(
    workspace   LowCardinality(String),
    user_id     String,
    previous_id String,
    ts          DateTime64(3, 'UTC')    COMMENT 'when it was said',
    event_id    String,
    withdrawn   Bool                    DEFAULT false,
    authority   LowCardinality(String)  COMMENT 'page, secret or operator: whose key said it',
    site_id     LowCardinality(String)  COMMENT 'where it was said; empty for the operator',
    protocol    LowCardinality(String)  DEFAULT 'native',
    received_at DateTime64(3, 'UTC'),
    CONSTRAINT complete CHECK workspace != '' AND user_id != '' AND previous_id != '' AND event_id != ''
)
ENGINE = ReplacingMergeTree
ORDER BY (workspace, user_id, previous_id, ts, event_id, withdrawn, authority, site_id);
