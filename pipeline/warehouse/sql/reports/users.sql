-- Which user IDs were said, how often, and on how many devices? Most said first.
SELECT *
FROM
(
    SELECT
        user_id,
        any(person_id)                                   AS person_id,
        count()                                          AS hits,
        uniqExact(device_key)                            AS devices,
        min(ts)                                          AS first_said,
        max(ts)                                          AS last_said,
        arraySort(groupUniqArray(toString(site_id)))     AS sites,
        arraySort(groupUniqArray(toString(protocol)))    AS protocols
    FROM $counted
    WHERE user_id != '' AND ({search:String} = '' OR positionCaseInsensitiveUTF8(user_id, {search:String}) > 0)
    GROUP BY user_id
)
WHERE hits < {after_hits:UInt64} OR (hits = {after_hits:UInt64} AND user_id > {after_user:String})
ORDER BY hits DESC, user_id
LIMIT {limit:UInt32}
