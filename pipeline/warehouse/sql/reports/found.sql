-- Whom a search finds, of all times: what is written down of names and traits is a superset, and is looked up in the rows.
(
    SELECT groupUniqArray(person_id)
    FROM
    (
        SELECT dictGetOrDefault('canonical_persons', 'canonical_id', user_names.person_id, user_names.person_id) AS person_id
        FROM user_names
        WHERE workspace = {workspace:String} AND positionCaseInsensitiveUTF8(user_id, {search:String}) > 0
        UNION ALL
        SELECT person_id
        FROM actions
        WHERE workspace = {workspace:String} AND device IN ({search:String}, concat('d:', {search:String}))
        UNION ALL
        SELECT person_id
        FROM actions
        WHERE workspace = {workspace:String} AND event_id = {search:String}
        UNION ALL
        SELECT person_id
        FROM actions
        WHERE workspace = {workspace:String}
          AND device IN
          (
              SELECT device
              FROM trait_values
              WHERE workspace = {workspace:String} AND positionCaseInsensitiveUTF8(value, {search:String}) > 0
          )
          AND arrayExists(
              pair -> positionCaseInsensitiveUTF8(
                  if(startsWith(pair.2, '"'), JSONExtractString(pair.2), pair.2), {search:String}) > 0,
              arrayConcat(JSONExtractKeysAndValuesRaw(traits), JSONExtractKeysAndValuesRaw(traits_once)))
    )
) AS found,
