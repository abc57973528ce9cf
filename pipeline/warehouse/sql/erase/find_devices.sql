-- Devices on which they were seen and nobody else ever signed in.
INSERT INTO erasing_devices
SELECT workspace, device
FROM
(
    SELECT DISTINCT workspace, device
    FROM person_devices
    WHERE person_id IN (SELECT person_id FROM erasing_users)
)
WHERE startsWith(device, 'd:')
  AND (workspace, device) NOT IN
  (
      SELECT workspace, device
      FROM identity_facts
      WHERE (workspace, device) IN
            (SELECT workspace, device FROM person_devices WHERE person_id IN (SELECT person_id FROM erasing_users))
        AND user_id != ''
        AND (workspace, user_id) NOT IN (SELECT workspace, user_id FROM erasing_users)
  )
