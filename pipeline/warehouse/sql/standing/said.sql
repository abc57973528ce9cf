-- How many statements there are about two users, and how many with this event ID.
SELECT count(), countIf(event_id = {event:String})
FROM alias_statements FINAL
WHERE workspace = {workspace:String}
  AND (user_id, previous_id) IN (({one:String}, {other:String}), ({other:String}, {one:String}))
