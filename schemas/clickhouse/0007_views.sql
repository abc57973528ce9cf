-- One row a person. After a login on a second device both are devices of one person.
CREATE VIEW IF NOT EXISTS persons AS
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
GROUP BY workspace, person_id;

-- One row a device, with whom it was used by.
CREATE VIEW IF NOT EXISTS devices AS
SELECT
    workspace,
    device,
    any(anonymous_id)           AS anonymous_id,
    argMax(device_type, ts)     AS device_type,
    argMax(browser, ts)         AS browser,
    argMax(os, ts)              AS os,
    min(ts)                     AS first_seen,
    max(ts)                     AS last_seen,
    count()                     AS actions,
    uniqExact(person_id)        AS persons,
    arraySort(groupUniqArrayIf(user_id, user_id != '')) AS user_ids
FROM actions
GROUP BY workspace, device;

-- One row a visit: a run of one person's actions on one device with gaps under 30 minutes.
CREATE VIEW IF NOT EXISTS visits AS
SELECT
    workspace,
    person_id,
    device,
    visit,
    min(ts)                                     AS started_at,
    max(ts)                                     AS ended_at,
    dateDiff('millisecond', started_at, ended_at) AS duration_ms,
    count()                                     AS actions,
    countIf(type = 'page')                      AS pages,
    argMinIf(url, (ts, event_id), url != '')    AS entry_url,
    argMaxIf(url, (ts, event_id), url != '')    AS exit_url,
    argMin(referrer, (ts, event_id))            AS referrer,
    argMin(campaign_source, (ts, event_id))     AS campaign_source,
    any(site_id)                                AS site_id
FROM
(
    SELECT *, sum(begins) OVER (PARTITION BY workspace, person_id, device ORDER BY ts, event_id) AS visit
    FROM
    (
        SELECT
            workspace, person_id, device, site_id, ts, event_id, type, url, referrer, campaign_source,
            lagInFrame(toNullable(ts)) OVER
            (
                PARTITION BY workspace, person_id, device ORDER BY ts, event_id
                ROWS BETWEEN 1 PRECEDING AND CURRENT ROW
            ) AS previous,
            previous IS NULL OR dateDiff('millisecond', assumeNotNull(previous), ts) >= 1800000 AS begins
        FROM actions
    )
)
GROUP BY workspace, person_id, device, visit;

-- All actions of one person in time order, across devices: SELECT * FROM journey(person = '…').
CREATE VIEW IF NOT EXISTS journey AS
SELECT *
FROM actions
WHERE (workspace, device) IN (SELECT workspace, device FROM person_devices WHERE person_id = {person:UUID})
  AND person_id = {person:UUID}
ORDER BY ts, received_at, event_id;

-- The visits of one person, across devices: SELECT * FROM person_visits(person = '…').
CREATE VIEW IF NOT EXISTS person_visits AS
SELECT *
FROM visits
WHERE (workspace, device) IN (SELECT workspace, device FROM person_devices WHERE person_id = {person:UUID})
  AND person_id = {person:UUID}
ORDER BY started_at, device;
