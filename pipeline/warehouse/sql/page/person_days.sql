-- How much these persons did each day of the period.
SELECT person_id, toDate(ts, {zone:String}) AS date, count() AS actions
FROM actions
WHERE workspace = {workspace:String} AND person_id IN {persons:Array(UUID)} AND NOT bot
  AND device IN (SELECT device FROM person_devices WHERE workspace = {workspace:String} AND person_id IN
  (
      SELECT arrayJoin({persons:Array(UUID)})
      UNION ALL
      SELECT person_id FROM merged_persons WHERE canonical_id IN {persons:Array(UUID)}
  ))
  AND ts >= {since:DateTime64(3, 'UTC')} AND ts < {until:DateTime64(3, 'UTC')}
GROUP BY person_id, date
ORDER BY person_id, date
LIMIT 10000
