-- Which visits were there? A page of the log, the latest first.
-- First which visits are on the page, by their times alone; then all the rest, of them alone. Of visits that began since
-- `newest` nothing is missed where only devices are looked at that did something since then.
WITH
(
    SELECT groupArray((person_id, device, started_at, ended_at))
    FROM
    (
        SELECT
            person_id,
            device,
            arrayJoin(arrayZip(
                arrayFilter((t, gap, n) -> n = 1 OR gap >= 1800000, times, arrayDifference(times), arrayEnumerate(times)),
                arrayFilter((t, gap, n) -> n = length(times) OR gap >= 1800000, times,
                    arrayPushBack(arrayPopFront(arrayDifference(times)), 0), arrayEnumerate(times)))) AS run,
            fromUnixTimestamp64Milli(run.1, 'UTC') AS started_at,
            fromUnixTimestamp64Milli(run.2, 'UTC') AS ended_at
        FROM
        (
            SELECT person_id, device, arraySort(groupArray(toUnixTimestamp64Milli(ts))) AS times
            FROM $counted
            WHERE $newest
            GROUP BY person_id, device
        )
        WHERE started_at >= {newest:DateTime64(3, 'UTC')}
          AND (started_at, device, person_id)
            < ({before_ts:DateTime64(3, 'UTC')}, {before_device:String}, {before_person:UUID})
        ORDER BY started_at DESC, device DESC, person_id DESC
        LIMIT {limit:UInt32}
    )
) AS page
SELECT
    chosen.started_at                                                    AS started_at,
    any(chosen.ended_at)                                                 AS ended_at,
    dateDiff('millisecond', started_at, ended_at)                        AS duration_ms,
    chosen.device                                                        AS device,
    chosen.person_id                                                     AS person_id,
    count()                                                              AS actions,
    countIf(type = 'page')                                               AS pages,
    argMinIf(url, (ts, event_id), url != '')                             AS entry_url,
    argMaxIf(url, (ts, event_id), url != '')                             AS exit_url,
    argMin(referrer, (ts, event_id))                                     AS referrer,
    argMin(campaign_source, (ts, event_id))                              AS campaign_source,
    argMaxIf(device_type, (ts, event_id), device_type != '')             AS device_type,
    argMaxIf(browser, (ts, event_id), browser != '')                     AS browser,
    argMaxIf(os, (ts, event_id), os != '')                               AS os,
    any(toString(site_id))                                               AS site,
    arraySort(groupUniqArrayIf(user_id, user_id != ''))                  AS user_ids,
    countIf(attribution = 'identified')                                  AS identified,
    countIf(attribution = 'carried')                                     AS carried,
    countIf(attribution = 'backfilled')                                  AS backfilled,
    countIf(attribution = 'anonymous')                                   AS anonymous,
    countIf(logout)                                                      AS logouts,
    countIf(revenue IS NOT NULL)                                         AS conversions,
    sum(ifNull(revenue, 0))                                              AS spent,
    arrayMap(one -> one.3, arraySort(groupArray((ts, event_id, toString(attribution))))) AS attributions
FROM
(
    SELECT *
    FROM actions
    WHERE workspace = {workspace:String} AND device IN (SELECT arrayJoin(page).2)
      AND day BETWEEN toDate({since:DateTime64(3, 'UTC')}) - 7 AND toDate({until:DateTime64(3, 'UTC')}) + 7
      AND (NOT bot OR {bots:Bool})
) AS done
INNER JOIN
(
    SELECT arrayJoin(page) AS one, one.1 AS person_id, one.2 AS device, one.3 AS started_at, one.4 AS ended_at
) AS chosen ON done.device = chosen.device AND done.person_id = chosen.person_id
WHERE done.ts BETWEEN chosen.started_at AND chosen.ended_at
GROUP BY started_at, device, person_id
ORDER BY started_at DESC, device DESC, person_id DESC
