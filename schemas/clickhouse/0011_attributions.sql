-- Who every action belongs to, worked out at once from the facts and the rules. Nothing here knows how the rows of
-- action_log came to their persons, so that the two can be held against each other (`seamline audit`).
--
-- facts    logins and logouts of devices known by then; a user ID that the policy calls none is none
-- runs     the facts of a half hour, by user and whether the login holds
-- buckets  per half hour: spans of logins (user, holds, first, last) and instants of logouts. Of a contested one its
--          first and last instant stay, as a span of nobody: ''
-- lines    per device: its buckets in order, beside the login at either end of each: (instant, user or '' where users
--          meet, holds). Half hours are few: a year has 17,520
-- marks    per bucket with facts, and one at the beginning of time: what is in it, and the nearest login and logout on
--          either side, 0 where there is none. So no action meets more facts than one bucket holds
-- reaches  per device and user: the borders of the time in which one of their spans is within the lookback
-- crowds   how many users that makes, from each instant at which it changes; contested time counts as too many
-- hits     every action, with the person it has
-- near     the bucket that explains it
-- placed   the spans it is inside of, and the login and the logout before and after it
-- judged   which rule decides
-- owned    whose it is by that rule, and by which login
-- hashed   the person's ID but for its version: uuid5(uuid5(SEAMLINE, workspace), name)
-- What is used more than once stands one step earlier: an alias is worked out wherever it is used.
CREATE OR REPLACE VIEW attributions AS
WITH
    parseDateTime64BestEffort(if({known_by:String} = '', '2299-12-31', {known_by:String}), 3, 'UTC') AS until,
    arrayMap(pattern -> concat('^(?:', pattern, ')$'), {illegal_id_patterns:Array(String)}) AS patterns,
    (user -> has({illegal_ids:Array(String)}, lowerUTF8(user)) OR multiMatchAny(lowerUTF8(user), patterns)) AS illegal,
    (user -> if(illegal(user), '', user)) AS legal,
    ((spans, at) -> (at, if(arrayUniq(spans.1) = 1, spans[1].1, ''), has(spans.2, true))) AS border,
    (spans -> border(arrayFilter(s -> s.4 = arrayMax(spans.4), spans), arrayMax(spans.4))) AS latest,
    (spans -> border(arrayFilter(s -> s.3 = arrayMin(spans.3), spans), arrayMin(spans.3))) AS earliest,
    (digit -> translate(digit, '0123456789ABCDEF', '89AB89AB89AB89AB')) AS variant,
    (h -> concat(left(h, 12), '5', substring(h, 14, 3), variant(substring(h, 17, 1)), substring(h, 18, 15))) AS version_5,
    facts AS
    (
        SELECT
            workspace, device, toUnixTimestamp64Milli(ts) AS t,
            legal(user_id) AS user, holds AND NOT logout AS persists, logout
        FROM identity_facts
        WHERE anonymous_id != ''
          AND received_at <= until
          AND ({workspace:String} = '' OR workspace = {workspace:String})
          AND device >= {from_device:String} AND ({until_device:String} = '' OR device <= {until_device:String})
    ),
    runs AS
    (
        SELECT
            workspace, device, intDiv(t, {bucket_ms:Int64}) AS bucket, user, persists,
            min(t) AS first, max(t) AS last, groupUniqArrayIf(t, logout) AS logouts
        FROM facts
        WHERE user != '' OR logout
        GROUP BY workspace, device, bucket, user, persists
    ),
    buckets AS
    (
        SELECT
            workspace, device, bucket,
            if(contested, [('', false, starts, ends)], known) AS spans,
            if(contested, [], instants) AS outs
        FROM
        (
            SELECT
                workspace, device, bucket, min(first) AS starts, max(last) AS ends,
                groupArrayIf((user, persists, first, last), user != '') AS known,
                groupUniqArrayArray(logouts) AS instants,
                uniqExactIf(user, user != '') > {users_per_bucket_max:UInt32}
                    OR length(instants) > {logouts_per_bucket_max:UInt32} AS contested
            FROM runs
            GROUP BY workspace, device, bucket
        )
    ),
    lines AS
    (
        SELECT
            workspace, device, line,
            arrayMap(b -> arrayMax(b.3), line) AS last_outs,
            arrayMap(b -> arrayMin(b.3), line) AS first_outs,
            arrayMap(b -> if(empty(b.2), (0, '', false), latest(b.2)), line) AS ends,
            arrayMap(b -> if(empty(b.2), (0, '', false), earliest(b.2)), line) AS starts
        FROM
        (
            SELECT
                workspace, device,
                arrayPushFront(arraySort(b -> b.1, groupArray((bucket, spans, outs))), (0, [], [])) AS line
            FROM buckets
            GROUP BY workspace, device
        )
    ),
    marks AS
    (
        SELECT
            workspace, device, here.1 AS bucket, here.2 AS spans, here.3 AS outs,
            login_before, login_after, logout_before, logout_after
        FROM lines
        ARRAY JOIN
            line AS here,
            arrayFill(e -> e.1 != 0, arrayPopBack(arrayPushFront(ends, (0, '', false)))) AS login_before,
            arrayReverseFill(e -> e.1 != 0, arrayPushBack(arrayPopFront(starts), (0, '', false))) AS login_after,
            arrayFill(t -> t != 0, arrayPopBack(arrayPushFront(last_outs, 0))) AS logout_before,
            arrayReverseFill(t -> t != 0, arrayPushBack(arrayPopFront(first_outs), 0)) AS logout_after
    ),
    reaches AS
    (
        SELECT
            workspace, device, user, arrayCumSum(e -> -e.2, edges) AS open,
            arrayFilter((edge, open_here) -> open_here = if(edge.2 = -1, 1, 0), edges, open) AS borders
        FROM
        (
            SELECT
                workspace, device, span.1 AS user,
                arraySort(arrayConcat(
                    groupArray((span.3 - {lookback_ms:Int64}, -1)), groupArray((span.4 + {lookback_ms:Int64} + 1, 1))
                )) AS edges
            FROM buckets
            ARRAY JOIN spans AS span
            GROUP BY workspace, device, user
        )
    ),
    crowds AS
    (
        SELECT workspace, device, since, sum(change) OVER (PARTITION BY workspace, device ORDER BY since) AS users
        FROM
        (
            SELECT
                workspace, device, edge.1 AS since,
                sum(if(user = '', {users_per_device_max:UInt32} + 1, 1) * -edge.2) AS change
            FROM reaches
            ARRAY JOIN borders AS edge
            GROUP BY workspace, device, since
        )
    ),
    hits AS
    (
        SELECT
            workspace, device, day, event_id, ts, received_at, anonymous_id, user_id, late,
            person_id AS stored_person_id, attribution AS stored_attribution,
            toUnixTimestamp64Milli(ts) AS t, intDiv(t, {bucket_ms:Int64}) AS bucket, legal(user_id) AS user
        FROM action_log FINAL
        WHERE ({workspace:String} = '' OR workspace = {workspace:String})
          AND device >= {from_device:String} AND ({until_device:String} = '' OR device <= {until_device:String})
    ),
    near AS
    (
        SELECT
            hits.*, spans, login_before, login_after,
            arrayFilter(s -> s.3 <= t AND s.4 >= t, spans) AS inside,
            arrayFilter(s -> s.4 < t, spans) AS ended,
            arrayFilter(s -> s.3 > t, spans) AS coming,
            arrayMax(out -> if(out <= t, out, 0), arrayPushBack(outs, logout_before)) AS out_before,
            arrayMin(out -> if(out > t, out, 9000000000000000), arrayPushBack(outs, logout_after)) AS out_after
        FROM hits
        ASOF LEFT JOIN marks
            ON hits.workspace = marks.workspace AND hits.device = marks.device AND hits.bucket >= marks.bucket
    ),
    placed AS
    (
        SELECT
            near.*,
            if(empty(ended), login_before, latest(ended)) AS before,
            if(empty(coming), login_after, earliest(coming)) AS after
        FROM near
    ),
    judged AS
    (
        SELECT
            placed.*, users,
            before.1 != 0 AND t - before.1 <= {lookback_ms:Int64} AS recent,
            multiIf(
                user != '', 'sent',
                anonymous_id = '', 'no_ids',
                has(inside.1, ''), 'contested',
                arrayUniq(inside.1) > 1, 'together',
                arrayExists(s -> arrayExists(o -> o.1 != s.1 AND o.3 <= s.4 AND o.4 >= s.3, spans), inside), 'overlapped',
                notEmpty(inside), 'present',
                recent AND before.3 AND out_before <= before.1, if(before.2 = '', 'contested_before', 'before'),
                after.1 = 0 AND before.1 = 0, 'never',
                after.1 = 0, multiIf(out_before > before.1, 'signed_out', recent, 'not_held', 'expired'),
                out_after < after.1, 'logout_next',
                after.1 - t > {lookback_ms:Int64}, 'too_far',
                after.2 = '', 'contested_after',
                recent AND before.2 != after.2, 'between',
                users > {users_per_device_max:UInt32}, 'crowded',
                'after'
            ) AS rule
        FROM placed
        ASOF LEFT JOIN crowds
            ON placed.workspace = crowds.workspace AND placed.device = crowds.device AND placed.t >= crowds.since
    ),
    owned AS
    (
        SELECT
            judged.*,
            multiIf(rule = 'sent', user, rule = 'present', inside[1].1, rule = 'before', before.2, after.2) AS user_meant,
            if(rule IN ('sent', 'present', 'before', 'after'), user_meant, '') AS owner,
            multiIf(rule = 'present', arrayMin(inside.3), rule = 'before', before.1, rule = 'after', after.1, 0) AS login,
            hex(SHA1(concat(unhex('25a7ccfa148755b9b53b089cb7b34287'), workspace))) AS space
        FROM judged
    ),
    hashed AS
    (
        SELECT
            owned.*,
            multiIf(
                owner != '', concat('user:', owner),
                anonymous_id != '', concat('device:', anonymous_id),
                concat('hit:', event_id)
            ) AS name,
            hex(SHA1(concat(unhex(version_5(space)), name))) AS digest
        FROM owned
    )
SELECT
    workspace, device, day, event_id, ts, received_at, anonymous_id, user_id, late, stored_person_id, stored_attribution,
    toUUID(version_5(digest)) AS person_id,
    multiIf(
        rule = 'sent', 'identified', rule IN ('present', 'before'), 'carried', rule = 'after', 'backfilled', 'anonymous'
    ) AS attribution,
    owner AS belongs_to,
    rule,
    if(login = 0, NULL, fromUnixTimestamp64Milli(login, 'UTC')) AS login_at,
    if(before.1 = 0, NULL, fromUnixTimestamp64Milli(before.1, 'UTC')) AS before_at,
    before.2 AS before_user,
    if(after.1 = 0, NULL, fromUnixTimestamp64Milli(after.1, 'UTC')) AS after_at,
    after.2 AS after_user,
    if(out_before = 0, NULL, fromUnixTimestamp64Milli(out_before, 'UTC')) AS logout_at,
    users AS users_near
FROM hashed;

-- The same by the rules as they come, with the facts that had arrived by then:
-- SELECT * FROM attributions_as_of(workspace = 'shop', known_by = '2026-11-22 09:00:00').
CREATE OR REPLACE VIEW attributions_as_of AS
SELECT *
FROM attributions
(
    workspace = {workspace:String}, from_device = '', until_device = '', known_by = {known_by:String},
    lookback_ms = 2592000000, bucket_ms = 1800000, users_per_bucket_max = 32, logouts_per_bucket_max = 60,
    users_per_device_max = 5, illegal_ids = [], illegal_id_patterns = []
);
