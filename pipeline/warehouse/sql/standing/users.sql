-- Who two users are by all that was said, and as every report shows them.
SELECT user_id, toString(component), version, toString(canonical_id), refused, users,
    toString(dictGetOrDefault('canonical_persons', 'canonical_id', person_id, person_id))
FROM person_merges FINAL
WHERE workspace = {workspace:String} AND user_id IN ({one:String}, {other:String})
