-- On which devices was this person, and how did their actions get a person?
SELECT
    device,
    argMaxIf(device_type, (ts, event_id), device_type != '')  AS device_type,
    argMaxIf(browser, (ts, event_id), browser != '')          AS browser,
    argMaxIf(os, (ts, event_id), os != '')                    AS os,
    min(ts)                                                   AS first_seen,
    max(ts)                                                   AS last_seen,
    count()                                                   AS actions,
    countIf(attribution = 'identified')                       AS identified,
    countIf(attribution = 'carried')                          AS carried,
    countIf(attribution = 'backfilled')                       AS backfilled,
    countIf(attribution = 'anonymous')                        AS anonymous,
    1 + arrayCount(
        gap -> gap >= 1800000,
        arrayDifference(arraySort(groupArray(toUnixTimestamp64Milli(ts)))))  AS visits
FROM $theirs
GROUP BY device
ORDER BY first_seen, device
