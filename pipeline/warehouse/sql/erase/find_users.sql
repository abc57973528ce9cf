-- Everybody who is the same person as those named, by alias.
INSERT INTO erasing_users
SELECT workspace, user_id, person_id
FROM person_merges FINAL
WHERE canonical_id IN (SELECT dictGetOrDefault('canonical_persons', 'canonical_id', person_id, person_id) FROM erasing_users)
  AND users > 1
  AND NOT refused
  AND (workspace, user_id) NOT IN (SELECT workspace, user_id FROM erasing_users)
