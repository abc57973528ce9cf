-- Actions that are theirs now.
INSERT INTO erasing_rows
SELECT workspace, device, day, event_id
FROM action_log FINAL
WHERE (workspace, device) IN
      (SELECT workspace, device FROM person_devices WHERE person_id IN (SELECT person_id FROM erasing_users))
  AND person_id IN (SELECT person_id FROM erasing_users)
