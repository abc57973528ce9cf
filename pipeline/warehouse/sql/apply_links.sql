-- Rows that a batch of links covers, once more, with the person, attribution and version of the newest link.
-- Workspace and device lead the key, so only their granules are read; in PREWHERE they may be tested before FINAL,
-- because every version of a row has the same. The empty user ID is tested after it: only the newest version counts.
-- A device's links are gathered, newest first, and each row takes the first that covers it: nothing has to be sorted,
-- and memory does not grow with the rows.
INSERT INTO action_log
WITH arrayFirst(link -> a.ts BETWEEN link.2 AND link.3 AND link.1 > a.version, l.links) AS newest
SELECT a.* REPLACE (newest.4 AS person_id, newest.5 AS attribution, newest.6 AS late, newest.1 AS version)
FROM
(
    SELECT *
    FROM action_log FINAL
    PREWHERE (workspace, device) IN (SELECT workspace, device FROM links_staged WHERE batch = {batch:String})
    WHERE user_id = ''
) AS a
INNER JOIN
(
    SELECT
        workspace,
        device,
        arrayReverseSort(link -> link.1, groupArray((version, start, end, person_id, attribution, late))) AS links
    FROM links_staged
    WHERE batch = {batch:String}
    GROUP BY workspace, device
) AS l ON a.workspace = l.workspace AND a.device = l.device
WHERE newest.1 > 0
