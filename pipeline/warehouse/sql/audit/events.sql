-- The devices on which an event with this ID happened.
SELECT DISTINCT toString(workspace) AS workspace_name, device
FROM action_log
WHERE event_id = {event_id:String} AND {workspace:String} IN ('', toString(workspace))
ORDER BY workspace_name, device
