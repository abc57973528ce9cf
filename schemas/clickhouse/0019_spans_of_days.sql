-- When each quarter's actions ended, and on what kind of device: visits and hand-overs can be told from days that were
-- added up. A quarter of an hour is shorter than the pause that ends a visit, so between its first and its last action
-- there is none.
ALTER TABLE device_days ADD COLUMN IF NOT EXISTS last_kind LowCardinality(String) COMMENT 'device_type of the last' AFTER kind;
ALTER TABLE device_days ADD COLUMN IF NOT EXISTS slot.last Array(DateTime64(3, 'UTC')) COMMENT 'of its last action' AFTER slot.at;
ALTER TABLE device_days ADD COLUMN IF NOT EXISTS slot.last_kind Array(LowCardinality(String)) AFTER slot.kind;

-- A sink of the version before this one, in a rolling upgrade, would leave those empty. Its sums are refused, which it
-- survives, and the next sink adds the same days up.
ALTER TABLE device_days ADD COLUMN IF NOT EXISTS edition UInt8 COMMENT 'which columns were filled: 2, all of them';
ALTER TABLE device_days ADD CONSTRAINT IF NOT EXISTS all_columns CHECK edition = 2;

-- What was added up before lacks them: each month is added up again, and until then reports count its actions.
INSERT INTO device_days_due
SELECT DISTINCT '', '', toStartOfMonth(day) FROM action_log;
