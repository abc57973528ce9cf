-- Rows that a batch of links covers, once more, with the person, attribution and version of the newest link.
-- Device and workspace lead the key, so only their granules are read; in PREWHERE they may be tested before FINAL,
-- because every version of a row has the same. The empty user ID is tested after it: only the newest version counts.
INSERT INTO action_log
SELECT a.* REPLACE (l.person_id AS person_id, l.attribution AS attribution, l.late AS late, l.version AS version)
FROM
(
    SELECT *
    FROM action_log FINAL
    PREWHERE (workspace, device) IN (SELECT workspace, device FROM links_staged WHERE batch = {batch:String})
    WHERE user_id = ''
) AS a
INNER JOIN
(
    SELECT workspace, device, start, end, person_id, attribution, late, version
    FROM links_staged
    WHERE batch = {batch:String}
) AS l ON a.workspace = l.workspace AND a.device = l.device
WHERE a.ts BETWEEN l.start AND l.end AND a.version < l.version
ORDER BY l.version DESC
LIMIT 1 BY a.workspace, a.device, a.day, a.event_id
