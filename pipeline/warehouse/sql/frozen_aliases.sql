-- Users of this batch who belong to a component so large that it is not worked through any more, and that component.
WITH touched AS
(
    SELECT workspace, arrayJoin([user_id, previous_id]) AS user_id
    FROM aliases_staged
    WHERE batch = {batch:String}
),
known AS
(
    SELECT workspace, user_id, component
    FROM person_merges FINAL
    WHERE (workspace, user_id) IN (SELECT workspace, user_id FROM touched)
)
SELECT toString(workspace) AS workspace, user_id, toString(component) AS component
FROM known
WHERE (workspace, component) IN
(
    SELECT workspace, component
    FROM merge_components FINAL
    WHERE (workspace, component) IN (SELECT workspace, component FROM known)
    GROUP BY workspace, component
    HAVING count() > {users_max:UInt64}
)
