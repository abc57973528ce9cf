-- How often one of the two signed in on the other, as a device.
SELECT count()
FROM identity_facts FINAL
WHERE workspace = {workspace:String}
  AND (anonymous_id, user_id) IN (({one:String}, {other:String}), ({other:String}, {one:String}))
