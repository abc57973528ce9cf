-- How did actions get their person each day, and how many could not on devices where several users signed in?
SELECT
    toDate(ts, {zone:String})                                          AS date,
    count()                                                            AS actions,
    countIf(attribution = 'identified')                                AS identified,
    countIf(attribution = 'carried')                                   AS carried,
    countIf(attribution = 'backfilled')                                AS backfilled,
    countIf(attribution = 'anonymous')                                 AS anonymous,
    if(actions = 0, 0, backfilled / actions)                           AS backfilled_share,
    countIf(attribution = 'anonymous' AND device IN
    (
        SELECT device
        FROM identity_facts
        WHERE workspace = {workspace:String} AND user_id != ''
        GROUP BY device
        HAVING min(user_id) != max(user_id)
    ))                                                                 AS contested,
    countIf(late)                                                      AS late,
    countIf(illegal_id != '')                                          AS illegal_ids
FROM $counted
GROUP BY date
ORDER BY date
