-- The first device of the next page.
SELECT device
FROM action_log
WHERE workspace = {workspace:String} AND device > {device:String}
ORDER BY workspace, device
LIMIT 1
