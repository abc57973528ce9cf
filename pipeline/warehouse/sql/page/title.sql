-- What an action is called.
SELECT name, title, url, toString(type) AS type
FROM actions
WHERE workspace = {workspace:String} AND device = {device:String} AND event_id = {event_id:String}
LIMIT 1
