-- Who was there? A page of persons by `sort`; `search` is part of a user ID or a trait, or a whole device or event ID.
SELECT *
FROM
(
    SELECT
        person_id,
        count()                                              AS actions,
        uniqExact(device)                                    AS devices,
        min(ts)                                              AS first_action,
        max(ts)                                              AS last_action,
        countIf(attribution = 'identified')                  AS identified,
        countIf(attribution = 'carried')                     AS carried,
        countIf(attribution = 'backfilled')                  AS backfilled,
        countIf(attribution = 'anonymous')                   AS anonymous,
        arraySort(groupUniqArray(toString(device_type)))     AS kinds,
        countIf(revenue IS NOT NULL)                         AS conversions,
        sum(ifNull(revenue, 0))                              AS spent,
        toFloat64(multiIf(
            {sort:String} = 'first', toUnixTimestamp64Milli(first_action),
            {sort:String} = 'actions', toInt64(actions),
            {sort:String} = 'devices', toInt64(devices),
            {sort:String} = 'conversions', toInt64(conversions),
            toUnixTimestamp64Milli(last_action))) * if({ascending:Bool}, -1, 1) AS rank
    FROM $counted
    WHERE {search:String} = '' OR person_id IN
    (
        SELECT person_id
        FROM actions
        WHERE workspace = {workspace:String} AND {search:String} != ''
          AND positionCaseInsensitiveUTF8(user_id, {search:String}) > 0
          AND device IN
          (
              SELECT device
              FROM identity_facts
              WHERE workspace = {workspace:String} AND positionCaseInsensitiveUTF8(user_id, {search:String}) > 0
          )
        UNION ALL
        SELECT person_id
        FROM actions
        WHERE workspace = {workspace:String} AND {search:String} != ''
          AND device IN ({search:String}, concat('d:', {search:String}))
        UNION ALL
        SELECT person_id
        FROM actions
        WHERE workspace = {workspace:String} AND {search:String} != '' AND event_id = {search:String}
        UNION ALL
        SELECT person_id
        FROM actions
        WHERE workspace = {workspace:String} AND {search:String} != '' AND (traits != '{}' OR traits_once != '{}')
          AND arrayExists(
              pair -> positionCaseInsensitiveUTF8(
                  if(startsWith(pair.2, '"'), JSONExtractString(pair.2), pair.2), {search:String}) > 0,
              arrayConcat(JSONExtractKeysAndValuesRaw(traits), JSONExtractKeysAndValuesRaw(traits_once)))
    )
    GROUP BY person_id
)
WHERE rank < {after_rank:Float64} OR (rank = {after_rank:Float64} AND person_id > {after_person:UUID})
ORDER BY rank DESC, person_id
LIMIT {limit:UInt32}
