-- Which campaign was the first, and which the last, that a person came by before converting, on any device?
SELECT
    touch.2                                            AS source,
    touch.3                                            AS medium,
    touch.4                                            AS campaign,
    currency,
    countIf(touch.1 = 'first')                         AS first_conversions,
    sumIf(amount, touch.1 = 'first')                   AS first_spent,
    countIf(touch.1 = 'last')                          AS last_conversions,
    sumIf(amount, touch.1 = 'last')                    AS last_spent,
    uniqExact(person_key)                               AS persons
FROM
(
    SELECT
        person_key,
        one.2                                                                  AS amount,
        one.3                                                                  AS currency,
        arrayFilter(came -> came.1 <= one.1, touches)                          AS upto,
        arrayJoin([
            ('first', upto[1].2, upto[1].3, upto[1].4),
            ('last', upto[-1].2, upto[-1].3, upto[-1].4)])                     AS touch
    FROM
    (
        SELECT
            person_key,
            arraySort(groupArrayIf(
                ((ts, event_id), campaign_source, campaign_medium, campaign_name),
                campaign_source != '' OR campaign_medium != '' OR campaign_name != '')) AS touches,
            arrayJoin(groupArrayIf(
                ((ts, event_id), ifNull(revenue, 0), currency),
                if({goal:String} = '', revenue IS NOT NULL, name = {goal:String})))     AS one
        FROM $counted
        WHERE person_key IN
        (
            SELECT person_key
            FROM $counted
            WHERE if({goal:String} = '', revenue IS NOT NULL, name = {goal:String})
        )
        GROUP BY person_key
    )
)
GROUP BY source, medium, campaign, currency
ORDER BY last_conversions DESC, first_conversions DESC, source, medium, campaign, currency
LIMIT {limit:UInt32}
