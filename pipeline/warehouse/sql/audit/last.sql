-- The last device of a page.
-- The key begins with workspace and device: no more than a page is read.
SELECT device
FROM action_log
WHERE workspace = {workspace:String} AND device >= {device:String}
ORDER BY workspace, device
LIMIT 1 OFFSET {rows:UInt64}
