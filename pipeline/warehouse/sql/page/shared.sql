-- Which of these devices somebody else signed in on too.
SELECT device, uniqExact(user_id) AS users
FROM identity_facts
WHERE workspace = {workspace:String} AND device IN {devices:Array(String)} AND user_id != ''
  AND NOT startsWith(user_id, 'erased:')
  AND user_id NOT IN {users:Array(String)}
GROUP BY device
