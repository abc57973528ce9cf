-- What came instead of an ID: such a hit is kept, and says so.
ALTER TABLE action_log ADD COLUMN IF NOT EXISTS illegal_id LowCardinality(String) COMMENT 'what came instead of an ID, a word for nobody; never a value' AFTER late;

CREATE OR REPLACE VIEW actions AS
SELECT
    event_id, workspace, site_id, ts, received_at, type, name, anonymous_id, user_id,
    dictGetOrDefault('$database.canonical_persons', 'canonical_id', action_log.person_id, action_log.person_id) AS person_id,
    attribution, url, device_type, properties,
    device, day, protocol, holds, logout, referrer, title, browser, os, language, country, ip,
    campaign_source, campaign_medium, campaign_name, campaign_term, campaign_content,
    revenue, currency, bot, clock, traits, traits_once, former_id, version, late,
    action_log.person_id AS stitched_person_id, illegal_id
FROM action_log FINAL
WHERE NOT startsWith(user_id, 'erased:')
SETTINGS do_not_merge_across_partitions_select_final = 1;

-- What a guard noticed, a row a suspect: what it is, how much of it, and the setting that would stop it. Nothing that is
-- listed here was dropped. All but refused aliases are of the lookback before the newest of their workspace, not before
-- now: history can be examined too. Logins are counted as distinct devices, users and instants, so no FINAL is needed.
--
-- logins   of that time; `age`: how many days before the newest
-- places   per user: devices now, before, and on the day before the newest
-- rooms    per device: its users
-- crowds   per device and half hour: its users
-- days     per device and day: its logins
-- busy     devices with many rows in a day; of those, rows that are not the same row twice
CREATE OR REPLACE VIEW suspects_by AS
WITH
    (id -> if(match(id, '^[A-Za-z0-9_-]{1,16}:[0-9a-f]{64}$'), 'the ID behind this pseudonym', toJSONString(id))) AS spelt,
    (id -> concat('if it is nobody: policy.illegal_ids: [', spelt(id), '] in the sites file')) AS banning,
    (device -> substring(device, 3)) AS bare,
    newest AS
    (
        SELECT workspace, max(ts) AS latest
        FROM identity_facts
        WHERE {workspace:String} = '' OR workspace = {workspace:String}
        GROUP BY workspace
    ),
    logins AS
    (
        SELECT
            workspace, site_id, device, anonymous_id, user_id, ts, event_id,
            intDiv(toUnixTimestamp64Milli(latest) - toUnixTimestamp64Milli(ts), 86400000) AS age
        FROM identity_facts
        INNER JOIN newest ON identity_facts.workspace = newest.workspace
        WHERE user_id != '' AND anonymous_id != '' AND NOT startsWith(user_id, 'erased:')
          AND ({workspace:String} = '' OR workspace = {workspace:String})
          AND toUnixTimestamp64Milli(ts) > toUnixTimestamp64Milli(latest) - {lookback_ms:Int64}
    ),
    signed_in AS (SELECT workspace, uniqExact(device) AS devices FROM logins GROUP BY workspace),
    places AS
    (
        SELECT
            workspace, if(uniq(site_id) = 1, any(site_id), '') AS site_id, user_id,
            uniqExact(device) AS devices, uniqExactIf(device, age = 0) AS today, uniqExactIf((device, age), age > 0) AS before,
            max(age) AS days_before, min(ts) AS first_seen, max(ts) AS last_seen
        FROM logins
        GROUP BY workspace, user_id
        HAVING devices >= least({devices_per_user_max:UInt32}, {everywhere_devices_min:UInt32}, {everywhere_crowd_min:UInt32} * {everywhere_percent_min:UInt32} / 100)
    ),
    rooms AS
    (
        SELECT
            workspace, if(uniq(site_id) = 1, any(site_id), '') AS site_id, any(anonymous_id) AS id,
            uniqExact(user_id) AS users, min(ts) AS first_seen, max(ts) AS last_seen
        FROM logins
        GROUP BY workspace, device
        HAVING users > 1
    ),
    crowds AS
    (
        SELECT workspace, any(site_id) AS site_id, any(id) AS id, max(users) AS users, min(starts) AS first_seen, max(ends) AS last_seen
        FROM
        (
            SELECT
                workspace, device, any(site_id) AS site_id, any(anonymous_id) AS id,
                uniqExact(user_id) AS users, min(ts) AS starts, max(ts) AS ends
            FROM logins
            GROUP BY workspace, device, intDiv(toUnixTimestamp64Milli(ts), {bucket_ms:Int64})
            HAVING users > {users_per_bucket_max:UInt32}
        )
        GROUP BY workspace, device
    ),
    days AS
    (
        SELECT workspace, any(site_id) AS site_id, any(id) AS id, max(number) AS logins, min(starts) AS first_seen, max(ends) AS last_seen
        FROM
        (
            SELECT
                workspace, device, any(site_id) AS site_id, any(anonymous_id) AS id,
                uniqExact((ts, event_id)) AS number, min(ts) AS starts, max(ts) AS ends
            FROM logins
            GROUP BY workspace, device, toDate(ts)
            HAVING number > {logins_per_day_max:UInt32}
        )
        GROUP BY workspace, device
    ),
    latest_days AS
    (
        SELECT workspace, max(day) - intDiv({lookback_ms:Int64}, 86400000) AS since
        FROM action_log
        WHERE {workspace:String} = '' OR workspace = {workspace:String}
        GROUP BY workspace
    ),
    candidates AS
    (
        SELECT workspace, device, day
        FROM action_log
        WHERE ({workspace:String} = '' OR workspace = {workspace:String}) AND startsWith(device, 'd:')
        GROUP BY workspace, device, day
        HAVING count() > {actions_per_day_max:UInt32}
    ),
    busy AS
    (
        SELECT workspace, any(site_id) AS site_id, any(id) AS id, max(number) AS actions, min(starts) AS first_seen, max(ends) AS last_seen
        FROM
        (
            SELECT
                workspace, device, any(action_log.site_id) AS site_id, any(anonymous_id) AS id,
                uniqExact(event_id) AS number, min(ts) AS starts, max(ts) AS ends
            FROM action_log
            INNER JOIN latest_days ON action_log.workspace = latest_days.workspace
            WHERE (workspace, device, day) IN (SELECT workspace, device, day FROM candidates) AND day > since
            GROUP BY workspace, device, day
            HAVING number > {actions_per_day_max:UInt32}
        )
        GROUP BY workspace, device
    )
SELECT
    'illegal_id' AS guard, workspace, toString(site_id) AS site_id, toString(illegal_id) AS id,
    uniqExact((device, day, event_id)) AS count,
    concat(toString(count), ' hits on ', toString(uniqExactIf(device, anonymous_id != '')), ' devices') AS what,
    min(ts) AS first_seen, max(ts) AS last_seen,
    'taken as no ID already; the tracker should send none' AS setting
FROM action_log
INNER JOIN latest_days ON action_log.workspace = latest_days.workspace
WHERE illegal_id != '' AND day > since AND ({workspace:String} = '' OR workspace = {workspace:String})
GROUP BY workspace, site_id, illegal_id
UNION ALL
SELECT
    'shared_device', workspace, toString(site_id), id, users,
    concat(toString(users), ' users', if(users > {users_per_device_max:UInt32}, ': a kiosk', '')),
    first_seen, last_seen,
    if(users > {users_per_device_max:UInt32},
        banning(id),
        'SEAMLINE_USERS_PER_DEVICE_MAX=1: pages before a login there go to nobody')
FROM rooms
UNION ALL
SELECT
    'user_on_many_devices', workspace, toString(site_id), user_id, devices, concat(toString(devices), ' devices'),
    first_seen, last_seen, banning(user_id)
FROM places
WHERE devices > {devices_per_user_max:UInt32}
UNION ALL
SELECT
    'id_everywhere', workspace, toString(site_id), user_id, if(sudden, today, places.devices),
    if(sudden,
        concat(toString(today), ' devices in a day, ', toString(round(mean, 1)), ' a day before'),
        concat(toString(places.devices), ' of ', toString(signed_in.devices), ' devices that signed in')),
    first_seen, last_seen, banning(user_id)
FROM
(
    SELECT
        places.*, before / greatest(days_before, 1) AS mean,
        today >= {everywhere_devices_min:UInt32} AND today >= {everywhere_times_min:UInt32} * mean AS sudden
    FROM places
) AS places
INNER JOIN signed_in ON places.workspace = signed_in.workspace
WHERE sudden
   OR (signed_in.devices >= {everywhere_crowd_min:UInt32}
       AND places.devices * 100 >= signed_in.devices * {everywhere_percent_min:UInt32})
UNION ALL
SELECT
    'refused_component', members.workspace, '', toString(component), members.users,
    concat(toString(members.users), ' users, ', toJSONString(example), ' among them'),
    first_said, last_said,
    '`seamline unalias` the statements that are wrong: they are in alias_statements'
FROM
(
    SELECT workspace, component, uniqExact(user_id) AS users, min(user_id) AS example
    FROM person_merges FINAL
    WHERE refused AND ({workspace:String} = '' OR workspace = {workspace:String})
    GROUP BY workspace, component
) AS members
LEFT JOIN
(
    SELECT workspace, component, min(received_at) AS first_said, max(received_at) AS last_said
    FROM alias_statements
    INNER JOIN
    (
        SELECT workspace, user_id, component FROM person_merges FINAL WHERE refused
    ) AS refused ON alias_statements.workspace = refused.workspace AND alias_statements.user_id = refused.user_id
    WHERE {workspace:String} = '' OR workspace = {workspace:String}
    GROUP BY workspace, component
) AS said ON members.workspace = said.workspace AND members.component = said.component
UNION ALL
SELECT
    'page_claims_many', workspace, toString(site_id), id, users, concat(toString(users), ' users in half an hour'),
    first_seen, last_seen, banning(id)
FROM crowds
UNION ALL
SELECT
    'many_logins', workspace, toString(site_id), id, days.logins, concat(toString(days.logins), ' logins in a day'),
    first_seen, last_seen, banning(id)
FROM days
UNION ALL
SELECT
    'busy_id', workspace, toString(site_id), id, actions, concat(toString(actions), ' actions in a day'),
    first_seen, last_seen, banning(id)
FROM busy;

-- The same by the numbers as they come: SELECT * FROM suspects WHERE workspace = 'shop'.
CREATE OR REPLACE VIEW suspects AS
SELECT *
FROM suspects_by
(
    workspace = '', lookback_ms = 2592000000, bucket_ms = 1800000, users_per_bucket_max = 32, users_per_device_max = 5,
    devices_per_user_max = 20, everywhere_devices_min = 20, everywhere_times_min = 10, everywhere_percent_min = 5,
    everywhere_crowd_min = 100, logins_per_day_max = 5000, actions_per_day_max = 100000
);
