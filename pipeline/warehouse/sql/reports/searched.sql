-- Only who was found; the devices say where to look.
person_id IN (SELECT arrayJoin(found))
AND device IN
(
    SELECT device
    FROM person_devices
    WHERE workspace = {workspace:String} AND person_id IN
    (
        SELECT arrayJoin(found)
        UNION ALL
        SELECT person_id FROM merged_persons WHERE canonical_id IN (SELECT arrayJoin(found))
    )
)
