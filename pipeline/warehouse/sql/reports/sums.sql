-- What was done, by device and person: each action by itself.
(
    SELECT
        device_key, person_key, ts AS at, attribution = 'identified' AS identified, attribution = 'carried' AS carried,
        attribution = 'backfilled' AS backfilled, attribution = 'anonymous' AS anonymous
    FROM $counted
) AS sums
