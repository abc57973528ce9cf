-- The segments of a workspace that have a name.
SELECT name, segment
FROM segments FINAL
WHERE workspace = {workspace:String} AND NOT dropped
ORDER BY name
