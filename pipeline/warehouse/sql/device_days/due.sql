-- What has to be added up and has been there for a while: by part, how many days of devices, in which months, and which months as a whole.
SELECT
    _part                                                   AS part,
    countIf(device != '')                                   AS days,
    arraySort(groupUniqArray(toYYYYMM(day)))                AS touched,
    arraySort(groupUniqArrayIf(toYYYYMM(day), device = '')) AS months
FROM device_days_due
WHERE _part IN
(
    SELECT name
    FROM system.parts
    WHERE database = currentDatabase() AND table = 'device_days_due' AND active
      AND modification_time <= now() - {settle_s:UInt32}
)
GROUP BY part
ORDER BY part
