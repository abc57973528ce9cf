-- Which pages were seen, and by how many?
SELECT path(url) AS page, count() AS actions, uniqExact(person_id) AS persons, uniqExact(device) AS devices
FROM $counted
WHERE type = 'page' AND url != ''
GROUP BY page
ORDER BY persons DESC, actions DESC, page
LIMIT {limit:UInt32}
