-- Whom a search finds, of all times: what is written down of names and traits is a superset, and is looked up in the rows.
(
    SELECT groupUniqArray(dictGetOrDefault('canonical_persons', 'canonical_id', stitched_id, stitched_id))
    FROM
    (
        SELECT person_id AS stitched_id
        FROM user_names
        WHERE workspace = {workspace:String} AND positionCaseInsensitiveUTF8(user_id, {search:String}) > 0
        UNION ALL
        SELECT person_id
        FROM action_log FINAL
        PREWHERE workspace = {workspace:String} AND device IN ({search:String}, concat('d:', {search:String}))
        WHERE NOT stub
        UNION ALL
        SELECT person_id
        FROM action_log FINAL
        WHERE workspace = {workspace:String} AND event_id = {search:String} AND NOT stub
          AND (SELECT count() FROM event_id_lengths WHERE workspace = {workspace:String} AND length = length({search:String})) > 0
        UNION ALL
        SELECT person_id
        FROM action_log FINAL
        PREWHERE workspace = {workspace:String}
          AND device IN
          (
              SELECT device
              FROM trait_values
              WHERE workspace = {workspace:String} AND positionCaseInsensitiveUTF8(value, {search:String}) > 0
          )
        WHERE NOT stub
          AND arrayExists(
              pair -> positionCaseInsensitiveUTF8(
                  if(startsWith(pair.2, '"'), JSONExtractString(pair.2), pair.2), {search:String}) > 0,
              arrayConcat(JSONExtractKeysAndValuesRaw(traits), JSONExtractKeysAndValuesRaw(traits_once)))
    )
)
