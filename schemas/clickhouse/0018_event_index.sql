-- Where an event ID stands, for whoever looks for one: a filter of ten bits a row, of 65,536 rows together. Months that
-- are there already get theirs in the background.
ALTER TABLE action_log ADD INDEX IF NOT EXISTS event event_id TYPE bloom_filter(0.01) GRANULARITY 64;
ALTER TABLE action_log MATERIALIZE INDEX event SETTINGS mutations_sync = 0;

-- How long event IDs are: what has another length is none, and need not be looked for in the filters of a hundred million.
CREATE TABLE IF NOT EXISTS event_id_lengths
(
    workspace LowCardinality(String),
    length    UInt32
)
ENGINE = ReplacingMergeTree
ORDER BY (workspace, length);

CREATE MATERIALIZED VIEW IF NOT EXISTS event_id_lengths_from_action_log TO event_id_lengths AS
SELECT DISTINCT workspace, toUInt32(length(event_id)) AS length
FROM action_log;

INSERT INTO event_id_lengths
SELECT DISTINCT workspace, toUInt32(length(event_id)) FROM action_log;

-- What is only kept to search in becomes one part, too, when nothing has come for an hour: what was said twice costs twice.
ALTER TABLE user_names MODIFY SETTING min_age_to_force_merge_seconds = 3600, min_age_to_force_merge_on_partition_only = 1;
ALTER TABLE trait_values MODIFY SETTING min_age_to_force_merge_seconds = 3600, min_age_to_force_merge_on_partition_only = 1;
