-- What was said of these users, oldest first.
SELECT ts, user_id, previous_id, withdrawn, toString(authority), toString(site_id), event_id
FROM alias_statements FINAL
WHERE workspace = {workspace:String} AND has({users:Array(String)}, user_id) AND has({users:Array(String)}, previous_id)
ORDER BY ts, event_id, user_id, previous_id
