-- Which parts say what has changed since it was added up, how many days of devices, and is any month not added up yet?
SELECT groupUniqArray(_part) AS parts, count() AS days, countIf(device = '') AS months
FROM device_days_due
