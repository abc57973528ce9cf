-- A statement that names somebody else too says of them only that there is another.
SELECT ts, if(has({users:Array(String)}, user_id), user_id, '') AS user_id,
    if(has({users:Array(String)}, previous_id), previous_id, '') AS previous_id, withdrawn, authority, site_id
FROM alias_statements FINAL
WHERE workspace = {workspace:String}
  AND (has({users:Array(String)}, user_id) OR has({users:Array(String)}, previous_id))
ORDER BY ts, event_id
