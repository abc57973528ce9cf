-- A set of every login and logout, with the earliest arrival of each. Two arrivals of one event that differ are two
-- facts. A logout that names a user is one row: it is a logout, and a login that does not hold.
CREATE TABLE IF NOT EXISTS identity_facts
(
    workspace    LowCardinality(String),
    device       String,
    anonymous_id String,
    ts           DateTime64(3, 'UTC'),
    user_id      String,
    holds        Bool,
    logout       Bool,
    event_id     String,
    site_id      LowCardinality(String),
    protocol     LowCardinality(String),
    received_at  SimpleAggregateFunction(min, DateTime64(3, 'UTC')),
    version      SimpleAggregateFunction(min, UInt64)
)
ENGINE = AggregatingMergeTree
ORDER BY (workspace, device, ts, event_id, user_id, holds, logout, site_id, protocol, anonymous_id);

CREATE MATERIALIZED VIEW IF NOT EXISTS identity_facts_from_action_log TO identity_facts AS
SELECT workspace, device, anonymous_id, ts, user_id, holds, logout, event_id, site_id, protocol, received_at, version
FROM action_log
WHERE user_id != '' OR logout;

-- Which devices a person has ever been seen on: a superset (a decision that was withdrawn leaves its row), never the truth.
CREATE TABLE IF NOT EXISTS person_devices
(
    person_id UUID,
    workspace LowCardinality(String),
    device    String
)
ENGINE = ReplacingMergeTree
ORDER BY (person_id, workspace, device);

CREATE MATERIALIZED VIEW IF NOT EXISTS person_devices_from_action_log TO person_devices AS
SELECT DISTINCT person_id, workspace, device
FROM action_log;

-- Why a span of a device's past belongs to whom: every decision ever made, newest version last.
CREATE TABLE IF NOT EXISTS identity_links
(
    workspace    LowCardinality(String),
    device       String,
    anonymous_id String,
    start        DateTime64(3, 'UTC'),
    end          DateTime64(3, 'UTC')    COMMENT 'inclusive',
    person_id    UUID,
    user_id      String                  COMMENT 'whose login decided; empty when the span returns to nobody',
    attribution  LowCardinality(String),
    version      UInt64,
    event_id     String                  COMMENT 'the hit whose fact decided',
    decided_at   DateTime64(3, 'UTC')    COMMENT 'log time of the record that decided',
    late         Bool                    DEFAULT false
)
ENGINE = ReplacingMergeTree
ORDER BY (workspace, device, start, end, version);

-- Links on their way into action_log. One flush of the sink is one batch; what is older than an hour has been applied
-- or will come again off the log. Everything put here goes to identity_links too.
CREATE TABLE IF NOT EXISTS links_staged
(
    batch        String,
    workspace    LowCardinality(String),
    device       String,
    anonymous_id String,
    start        DateTime64(3, 'UTC'),
    end          DateTime64(3, 'UTC'),
    person_id    UUID,
    user_id      String,
    attribution  LowCardinality(String),
    version      UInt64,
    event_id     String,
    decided_at   DateTime64(3, 'UTC'),
    late         Bool                    DEFAULT false,
    staged_at    DateTime('UTC')         DEFAULT now('UTC'),
    CONSTRAINT complete CHECK workspace != '' AND device != '' AND version > 0 AND start <= end
)
ENGINE = MergeTree
PARTITION BY toStartOfHour(staged_at)
ORDER BY (batch, workspace, device)
TTL staged_at + INTERVAL 1 HOUR
SETTINGS ttl_only_drop_parts = 1;

CREATE MATERIALIZED VIEW IF NOT EXISTS identity_links_from_links_staged TO identity_links AS
SELECT workspace, device, anonymous_id, start, end, person_id, user_id, attribution, version, event_id, decided_at, late
FROM links_staged;
