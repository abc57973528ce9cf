-- Segments that were given a name: `@name` stands for `segment` wherever one is asked for. The newest word counts.
CREATE TABLE IF NOT EXISTS segments
(
    workspace LowCardinality(String),
    name      String,
    segment   String                   COMMENT 'in the language of segments',
    saved_at  DateTime64(3, 'UTC'),
    dropped   Bool                     DEFAULT false
)
ENGINE = ReplacingMergeTree(saved_at)
ORDER BY (workspace, name);
