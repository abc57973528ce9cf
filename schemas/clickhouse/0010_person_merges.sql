-- Statements on their way in. One flush of the sink is one batch; what is older than an hour has been worked through or
-- will come again off the log. Everything put here goes to alias_statements too.
CREATE TABLE IF NOT EXISTS aliases_staged
(
    batch       String,
    workspace   LowCardinality(String),
    user_id     String,
    previous_id String,
    ts          DateTime64(3, 'UTC'),
    event_id    String,
    withdrawn   Bool                    DEFAULT false,
    authority   LowCardinality(String),
    site_id     LowCardinality(String),
    protocol    LowCardinality(String)  DEFAULT 'native',
    received_at DateTime64(3, 'UTC'),
    staged_at   DateTime('UTC')         DEFAULT now('UTC'),
    CONSTRAINT complete CHECK workspace != '' AND user_id != '' AND previous_id != '' AND event_id != '' AND authority != ''
)
ENGINE = MergeTree
PARTITION BY toStartOfHour(staged_at)
ORDER BY (batch, workspace)
TTL staged_at + INTERVAL 1 HOUR
SETTINGS ttl_only_drop_parts = 1;

CREATE MATERIALIZED VIEW IF NOT EXISTS alias_statements_from_aliases_staged TO alias_statements AS
SELECT workspace, user_id, previous_id, ts, event_id, withdrawn, authority, site_id, protocol, received_at
FROM aliases_staged;

-- Who each user is whom an alias was ever said of. `canonical_id` is `person_id` where nothing joins them (any more), or
-- where too many would be joined. `component`: all who were ever connected, withdrawn or not: it only grows, and the
-- number of statements in it is the version, so the newest knowledge wins whoever writes it last.
CREATE TABLE IF NOT EXISTS person_merges
(
    workspace    LowCardinality(String),
    user_id      String,
    person_id    UUID,
    canonical_id UUID                   COMMENT 'the smallest person_id of those joined',
    component    UUID,
    users        UInt32                 COMMENT 'how many are joined, this one included',
    refused      Bool                   COMMENT 'joined to more users than one person can have: not applied',
    event_id     String                 COMMENT 'the newest statement that names this user',
    version      UInt64                 COMMENT 'statements in the component'
)
ENGINE = ReplacingMergeTree(version)
ORDER BY (workspace, user_id);

-- Whom to look at when a component is touched: a superset, filled on insert.
CREATE TABLE IF NOT EXISTS merge_components
(
    workspace LowCardinality(String),
    component UUID,
    user_id   String
)
ENGINE = ReplacingMergeTree
ORDER BY (workspace, component, user_id);

CREATE MATERIALIZED VIEW IF NOT EXISTS merge_components_from_person_merges TO merge_components AS
SELECT workspace, component, user_id
FROM person_merges;

-- Which persons a canonical person has ever stood for: a superset, never the truth; the dictionary is.
CREATE TABLE IF NOT EXISTS merged_persons
(
    canonical_id UUID,
    person_id    UUID
)
ENGINE = ReplacingMergeTree
ORDER BY (canonical_id, person_id);

CREATE MATERIALIZED VIEW IF NOT EXISTS merged_persons_from_person_merges TO merged_persons AS
SELECT canonical_id, person_id
FROM person_merges
WHERE canonical_id != person_id;

-- Person to canonical person, in memory. The sink reloads it whenever it has written merges; another replica asks for
-- itself whether there is anything new.
CREATE DICTIONARY IF NOT EXISTS canonical_persons
(
    person_id    UUID,
    canonical_id UUID
)
PRIMARY KEY person_id
SOURCE(CLICKHOUSE($credentials
    QUERY 'SELECT person_id, canonical_id FROM $database.person_merges FINAL WHERE canonical_id != person_id'
    INVALIDATE_QUERY 'SELECT count(), sum(version), max(version) FROM $database.person_merges'
))
LAYOUT(COMPLEX_KEY_HASHED())
LIFETIME(MIN 1 MAX 3);

-- The person of an action after all that was said: `person_id`. What the stitcher made of it: `stitched_person_id`.
CREATE OR REPLACE VIEW actions AS
SELECT
    event_id, workspace, site_id, ts, received_at, type, name, anonymous_id, user_id,
    dictGetOrDefault('$database.canonical_persons', 'canonical_id', action_log.person_id, action_log.person_id) AS person_id,
    attribution, url, device_type, properties,
    device, day, protocol, holds, logout, referrer, title, browser, os, language, country, ip,
    campaign_source, campaign_medium, campaign_name, campaign_term, campaign_content,
    revenue, currency, bot, clock, traits, traits_once, version, late,
    action_log.person_id AS stitched_person_id
FROM action_log FINAL
SETTINGS do_not_merge_across_partitions_select_final = 1;

-- The devices where a person's actions can stand: their own, and those of everybody who is the same person by alias.
CREATE OR REPLACE VIEW devices_of_person AS
SELECT DISTINCT workspace, device
FROM person_devices
WHERE person_id IN
(
    SELECT {person:UUID}
    UNION ALL
    SELECT person_id
    FROM merged_persons
    WHERE canonical_id = dictGetOrDefault('$database.canonical_persons', 'canonical_id', {person:UUID}, {person:UUID})
    UNION ALL
    SELECT dictGetOrDefault('$database.canonical_persons', 'canonical_id', {person:UUID}, {person:UUID})
);

-- All actions of one person in time order, across devices: SELECT * FROM journey(person = '…'). Any of a person's IDs will do.
CREATE OR REPLACE VIEW journey AS
SELECT *
FROM actions
WHERE (workspace, device) IN (SELECT workspace, device FROM devices_of_person(person = {person:UUID}))
  AND person_id = dictGetOrDefault('$database.canonical_persons', 'canonical_id', {person:UUID}, {person:UUID})
ORDER BY ts, received_at, event_id;

-- The visits of one person, across devices: SELECT * FROM person_visits(person = '…').
CREATE OR REPLACE VIEW person_visits AS
SELECT *
FROM visits
WHERE (workspace, device) IN (SELECT workspace, device FROM devices_of_person(person = {person:UUID}))
  AND person_id = dictGetOrDefault('$database.canonical_persons', 'canonical_id', {person:UUID}, {person:UUID})
ORDER BY started_at, device;

-- What is known of a person, a row a key. Of a key that was set the latest value counts, by event time and then event ID;
-- of one that was only ever set once, the earliest. A trait set to null is no more.
CREATE OR REPLACE VIEW person_traits AS
SELECT
    workspace,
    person_id,
    key,
    if(countIf(NOT once) > 0, argMaxIf(value, (ts, event_id), NOT once), argMinIf(value, (ts, event_id), once)) AS value,
    if(countIf(NOT once) > 0, maxIf(ts, NOT once), minIf(ts, once)) AS since
FROM
(
    SELECT workspace, person_id, ts, event_id, false AS once, arrayJoin(JSONExtractKeysAndValuesRaw(traits)) AS pair,
           pair.1 AS key, pair.2 AS value
    FROM actions
    WHERE traits != '{}'
    UNION ALL
    SELECT workspace, person_id, ts, event_id, true AS once, arrayJoin(JSONExtractKeysAndValuesRaw(traits_once)) AS pair,
           pair.1 AS key, pair.2 AS value
    FROM actions
    WHERE traits_once != '{}'
)
GROUP BY workspace, person_id, key
HAVING value != 'null';

-- One row a person. After a login on a second device both are devices of one person; after an alias, both users'.
-- `traits`: texts as they are, other values as JSON.
CREATE OR REPLACE VIEW persons AS
SELECT
    seen.workspace  AS workspace,
    seen.person_id  AS person_id,
    seen.user_ids   AS user_ids,
    seen.first_seen AS first_seen,
    seen.last_seen  AS last_seen,
    seen.actions    AS actions,
    seen.devices    AS devices,
    seen.sites      AS sites,
    known.traits    AS traits
FROM
(
    SELECT
        workspace,
        person_id,
        arraySort(groupUniqArrayIf(user_id, user_id != '')) AS user_ids,
        min(ts)                     AS first_seen,
        max(ts)                     AS last_seen,
        count()                     AS actions,
        uniqExact(device)           AS devices,
        arraySort(groupUniqArray(toString(site_id))) AS sites
    FROM actions
    GROUP BY workspace, person_id
) AS seen
LEFT JOIN
(
    SELECT workspace, person_id,
           mapFromArrays(
               groupArray(key) AS keys,
               groupArray(if(startsWith(value, '"'), JSONExtractString(value), value))
           ) AS traits
    FROM (SELECT * FROM person_traits ORDER BY key)
    GROUP BY workspace, person_id
) AS known ON seen.workspace = known.workspace AND seen.person_id = known.person_id;
