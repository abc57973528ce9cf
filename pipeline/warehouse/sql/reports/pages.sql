-- Which pages were seen, and by how many? On one site, or, where `site` is empty, on all of them.
SELECT path(url) AS page, count() AS actions, uniqExact(person_key) AS persons, uniqExact(device_key) AS devices
FROM $counted
WHERE type = 'page' AND url != '' AND ({site:String} = '' OR site_id = {site:String})
GROUP BY page
ORDER BY persons DESC, actions DESC, page
LIMIT {limit:UInt32}
