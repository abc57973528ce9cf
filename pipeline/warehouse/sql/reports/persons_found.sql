-- Who was there, of the few whom a search found? The same page as `persons`, without looking for who is on it first.
SELECT
    $figures,
    toFloat64($rank) * if({ascending:Bool}, -1, 1)       AS rank
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
              SELECT arrayJoin({found:Array(UUID)})
              UNION ALL
              SELECT person_id FROM merged_persons WHERE canonical_id IN (SELECT arrayJoin({found:Array(UUID)}))
          )
      )
      AND day BETWEEN toDate({since:DateTime64(3, 'UTC')}) - 7 AND toDate({until:DateTime64(3, 'UTC')}) + 7
    WHERE NOT stub
      AND ts >= {since:DateTime64(3, 'UTC')} AND ts < {until:DateTime64(3, 'UTC')}
      AND (NOT bot OR {bots:Bool})
)
WHERE person_id IN (SELECT arrayJoin({found:Array(UUID)}))
GROUP BY person_id
HAVING rank < {after_rank:Float64} OR (rank = {after_rank:Float64} AND person_id > {after_person:UUID})
ORDER BY rank DESC, person_id
LIMIT {limit:UInt32}
