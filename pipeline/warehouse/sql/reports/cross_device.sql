-- On which kind of device did those who converted begin, on which did they convert, and who had needed more than one?
SELECT
    began_on,
    one.2                                                       AS converted_on,
    one.4                                                       AS currency,
    count()                                                     AS conversions,
    uniqExact(person_key)                                        AS persons,
    sum(one.3)                                                  AS spent,
    countIf(arrayCount(at -> at <= one.1, firsts) > 1)          AS several_devices
FROM
(
    SELECT
        person_key,
        argMin(kind, first)                                     AS began_on,
        groupArray(first)                                       AS firsts,
        arrayJoin(groupArrayArray(converted))                   AS one
    FROM
    (
        SELECT
            person_key,
            min((ts, event_id))                                                             AS first,
            argMin(if(device_type = '', 'unknown', toString(device_type)), (ts, event_id))  AS kind,
            groupArrayIf(
                ((ts, event_id), if(device_type = '', 'unknown', toString(device_type)), ifNull(revenue, 0), currency),
                if({goal:String} = '', revenue IS NOT NULL, name = {goal:String}))          AS converted
        FROM $counted
        WHERE person_key IN
        (
            SELECT person_key
            FROM $counted
            WHERE if({goal:String} = '', revenue IS NOT NULL, name = {goal:String})
        )
        GROUP BY person_key, device_key
    )
    GROUP BY person_key
)
GROUP BY began_on, converted_on, currency
ORDER BY conversions DESC, began_on, converted_on, currency
