-- Days of devices that have anything to do with the period and stand as they were added up.
workspace = {workspace:String}
AND day BETWEEN toDate({since:DateTime64(3, 'UTC')}) - 7 AND toDate({until:DateTime64(3, 'UTC')}) + 7
AND first_ts < {until:DateTime64(3, 'UTC')} AND last_ts >= {since:DateTime64(3, 'UTC')}
AND (day, device_key) NOT IN
(
    SELECT day, cityHash64(device)
    FROM device_days_due
    WHERE _part IN {changed:Array(String)} AND workspace = {workspace:String}
)
