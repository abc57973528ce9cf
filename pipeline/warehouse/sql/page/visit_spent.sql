-- What these persons paid in a time, each payment: of whom, where, when, and in which currency.
SELECT person_id, device, ts, currency, revenue
FROM actions
WHERE workspace = {workspace:String} AND person_id IN {persons:Array(UUID)} AND device IN {devices:Array(String)}
  AND NOT bot AND revenue IS NOT NULL
  AND ts >= {since:DateTime64(3, 'UTC')} AND ts <= {until:DateTime64(3, 'UTC')}
ORDER BY ts, event_id
LIMIT 10000
