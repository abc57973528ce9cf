-- Where an event ID stands, for whoever looks for one: a filter of ten bits a row, of 65,536 rows together. Months that
-- are there already get theirs in the background.
ALTER TABLE action_log ADD INDEX IF NOT EXISTS event event_id TYPE bloom_filter(0.01) GRANULARITY 64;
ALTER TABLE action_log MATERIALIZE INDEX event SETTINGS mutations_sync = 0;
