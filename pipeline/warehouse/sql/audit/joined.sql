-- Who was ever connected to this user by what was said.
SELECT user_id, person_id, canonical_id, refused
FROM person_merges FINAL
WHERE workspace = {workspace:String} AND component IN
(
    SELECT component FROM person_merges FINAL WHERE workspace = {workspace:String} AND user_id = {user_id:String}
)
ORDER BY user_id
