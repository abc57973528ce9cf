-- Which pages did this person see most?
SELECT path(url) AS page, count() AS actions, uniqExact(device) AS devices, min(ts) AS first_seen, max(ts) AS last_seen
FROM $theirs
WHERE type = 'page' AND url != ''
GROUP BY page
ORDER BY actions DESC, page
LIMIT {limit:UInt32}
