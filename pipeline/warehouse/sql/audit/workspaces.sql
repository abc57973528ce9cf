-- Which workspaces there are.
SELECT DISTINCT toString(workspace) AS name
FROM action_log
WHERE {workspace:String} IN ('', toString(workspace))
ORDER BY name
