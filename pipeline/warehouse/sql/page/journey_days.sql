-- How much a person did on each device on each day, by how each action got them.
SELECT
    device,
    toDate(ts, {zone:String})            AS date,
    countIf(attribution = 'identified')  AS identified,
    countIf(attribution = 'carried')     AS carried,
    countIf(attribution = 'backfilled')  AS backfilled,
    countIf(attribution = 'anonymous')   AS anonymous
FROM journey(person = {person:UUID})
WHERE workspace = {workspace:String} AND NOT bot
GROUP BY device, date
ORDER BY date, device
LIMIT 10000
