-- Everybody who is the same person by alias.
SELECT user_id
FROM person_merges FINAL
WHERE workspace = {workspace:String} AND users > 1 AND NOT refused
  AND canonical_id = dictGetOrDefault('canonical_persons', 'canonical_id', {person:UUID}, {person:UUID})
