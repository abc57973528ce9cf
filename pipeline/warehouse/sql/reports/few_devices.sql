-- Where to look for what these persons did, `$few`: a superset.
(
    SELECT device
    FROM person_devices
    WHERE workspace = {workspace:String} AND person_id IN
    (
        SELECT arrayJoin($few)
        UNION ALL
        SELECT person_id FROM merged_persons WHERE canonical_id IN (SELECT arrayJoin($few))
    )
)
