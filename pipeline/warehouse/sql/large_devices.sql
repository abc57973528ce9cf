-- Devices of a batch of links whose rows are many; row versions count too, since a rewrite reads them all.
SELECT toString(workspace), device
FROM action_log
WHERE (workspace, device) IN (SELECT workspace, device FROM links_staged WHERE batch = {batch:String})
GROUP BY workspace, device
HAVING count() > {rows:UInt64}
