-- Who goes by exactly this user ID, or was on exactly this device? Quick at any size: both are keys.
SELECT found.1 AS person_id, max(found.2) AS by_user
FROM
(
    SELECT (dictGetOrDefault('canonical_persons', 'canonical_id', person_id, person_id), true) AS found
    FROM person_devices
    WHERE person_id = {user_person:UUID} AND workspace = {workspace:String}
    UNION ALL
    SELECT (person_id, false) AS found
    FROM actions
    WHERE workspace = {workspace:String} AND device IN ({search:String}, concat('d:', {search:String}))
)
GROUP BY person_id
ORDER BY by_user DESC, person_id
LIMIT {limit:UInt32}
