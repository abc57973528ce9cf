-- Who was there? A page of persons by `sort`; `search` is part of a user ID or a trait, or a whole device or event ID.
-- First who is found, if anybody is looked for; then who is on the page, by what it is sorted by; then all the rest, of
-- them alone.
WITH
$found
(
    SELECT groupArray((person_id, rank))
    FROM
    (
        SELECT
            person_id,
            toFloat64($rank) * if({ascending:Bool}, -1, 1) AS rank
        FROM $counted
        WHERE $searched
        GROUP BY person_id
        HAVING rank < {after_rank:Float64} OR (rank = {after_rank:Float64} AND person_id > {after_person:UUID})
        ORDER BY rank DESC, person_id
        LIMIT {limit:UInt32}
    )
) AS page
SELECT
    $figures,
    transform(person_id, page.1, page.2, 0)              AS rank
FROM
(
    SELECT
        dictGetOrDefault('canonical_persons', 'canonical_id', action_log.person_id, action_log.person_id) AS person_id,
        device_key, ts, attribution, device_type, revenue
    FROM action_log FINAL
    PREWHERE workspace = {workspace:String}
      AND device IN
      (
          SELECT device
          FROM person_devices
          WHERE workspace = {workspace:String} AND person_id IN
          (
              SELECT arrayJoin(page).1
              UNION ALL
              SELECT person_id FROM merged_persons WHERE canonical_id IN (SELECT arrayJoin(page).1)
          )
      )
      AND day BETWEEN toDate({since:DateTime64(3, 'UTC')}) - 7 AND toDate({until:DateTime64(3, 'UTC')}) + 7
    WHERE NOT stub
      AND ts >= {since:DateTime64(3, 'UTC')} AND ts < {until:DateTime64(3, 'UTC')}
      AND (NOT bot OR {bots:Bool})
)
WHERE person_id IN (SELECT arrayJoin(page).1)
GROUP BY person_id
ORDER BY rank DESC, person_id
