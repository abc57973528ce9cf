-- What has to be added up: by part, how many days of devices, in which months, and which months as a whole.
SELECT
    _part                                                   AS part,
    countIf(device != '')                                   AS days,
    arraySort(groupUniqArray(toYYYYMM(day)))                AS touched,
    arraySort(groupUniqArrayIf(toYYYYMM(day), device = '')) AS months
FROM device_days_due
GROUP BY part
ORDER BY part
