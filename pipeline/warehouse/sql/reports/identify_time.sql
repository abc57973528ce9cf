-- How long did it take from a person's first action ever until the first that says who they are, of those who said so first
-- within the period?
SELECT
    multiIf(
        waited_ms = 0, 'at once', waited_ms < 60000, 'under a minute', waited_ms < 3600000, 'under an hour',
        waited_ms < 86400000, 'under a day', waited_ms < 604800000, 'under 7 days',
        waited_ms < 2592000000, 'under 30 days', 'longer')             AS waited,
    count()                                                            AS persons,
    toInt64(min(waited_ms))                                            AS shortest_ms,
    toInt64(quantileExactLow(0.5)(waited_ms))                          AS median_ms,
    toInt64(max(waited_ms))                                            AS longest_ms
FROM
(
    SELECT
        person_id,
        minIf(ts, user_id != '')                                       AS said,
        dateDiff('millisecond', min(ts), said)                         AS waited_ms
    FROM actions
    WHERE workspace = {workspace:String}
      AND day <= toDate({until:DateTime64(3, 'UTC')}) + 7 AND ts < {until:DateTime64(3, 'UTC')}
      AND (NOT bot OR {bots:Bool})
      AND person_id IN (SELECT person_id FROM $counted WHERE user_id != '')
    GROUP BY person_id
    HAVING said >= {since:DateTime64(3, 'UTC')}
)
GROUP BY waited
ORDER BY shortest_ms
