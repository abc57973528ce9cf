-- Which pages were seen, and by how many?
SELECT path(url) AS page, count() AS actions, uniqExact(person_key) AS persons, uniqExact(device_key)AS devices
FROM $counted
WHERE type = 'page' AND url != ''
GROUP BY page
ORDER BY persons DESC, actions DESC, page
LIMIT {limit:UInt32}
