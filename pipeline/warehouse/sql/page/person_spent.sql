-- What these persons paid in the period, by currency.
SELECT person_id, toString(currency) AS currency, sum(revenue) AS spent
FROM actions
WHERE workspace = {workspace:String} AND person_id IN {persons:Array(UUID)} AND NOT bot AND revenue IS NOT NULL
  AND device IN (SELECT device FROM person_devices WHERE workspace = {workspace:String} AND person_id IN
  (
      SELECT arrayJoin({persons:Array(UUID)})
      UNION ALL
      SELECT person_id FROM merged_persons WHERE canonical_id IN {persons:Array(UUID)}
  ))
  AND ts >= {since:DateTime64(3, 'UTC')} AND ts < {until:DateTime64(3, 'UTC')}
GROUP BY person_id, currency
ORDER BY person_id, currency
LIMIT 10000
