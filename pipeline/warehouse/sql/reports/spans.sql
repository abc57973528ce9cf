-- What was done, by device and person: the moment of each action, and its kind of device.
(
    SELECT device_key, person_key, [toUnixTimestamp64Milli(ts)] AS moments, device_type AS kind
    FROM $counted
) AS spans
