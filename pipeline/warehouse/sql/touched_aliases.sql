-- Every statement about anybody who is connected, through any statement ever made, to the users of this batch.
-- Whoever is in a frozen component is left out: `frozen_aliases` says who that is.
WITH
    touched AS
    (
        SELECT workspace, arrayJoin([user_id, previous_id]) AS user_id
        FROM aliases_staged
        WHERE batch = {batch:String}
    ),
    components AS
    (
        SELECT workspace, component
        FROM merge_components FINAL
        WHERE (workspace, component) IN
        (
            SELECT workspace, component
            FROM person_merges FINAL
            WHERE (workspace, user_id) IN (SELECT workspace, user_id FROM touched)
        )
        GROUP BY workspace, component
        HAVING count() <= {users_max:UInt64}
    )
SELECT
    toString(workspace) AS workspace, user_id, previous_id, ts, event_id, withdrawn, toString(authority) AS authority,
    toString(site_id) AS site_id
FROM alias_statements FINAL
WHERE (workspace, user_id) IN
(
    SELECT workspace, user_id FROM merge_components WHERE (workspace, component) IN (SELECT workspace, component FROM components)
)
UNION DISTINCT
SELECT
    toString(workspace) AS workspace, user_id, previous_id, ts, event_id, withdrawn, toString(authority) AS authority,
    toString(site_id) AS site_id
FROM aliases_staged
WHERE batch = {batch:String}
