-- Where to look for what this person did: a superset.
(
    SELECT device
    FROM person_devices
    WHERE workspace = {workspace:String} AND person_id IN $their_ids
)
