-- What could not be processed, by reason; `''` stands for what names no workspace that could be read.
SELECT toString(reason) AS reason, count() AS letters, max(received_at) AS latest
FROM dead_letters FINAL
WHERE workspace IN {workspaces:Array(String)}
  AND received_at >= {since:DateTime64(3, 'UTC')} AND received_at < {until:DateTime64(3, 'UTC')}
GROUP BY reason
ORDER BY letters DESC, reason
LIMIT 100
