-- What sign-ins of this person claimed over a day and more, on each device: from the first claimed action to the sign-in.
SELECT
    claimed.device                                AS device,
    toDate(min(claimed.ts), {zone:String})        AS first_date,
    toDate(signed.ts, {zone:String})              AS signed_date,
    count()                                       AS actions
FROM
(
    SELECT device, ts FROM journey(person = {person:UUID})
    WHERE workspace = {workspace:String} AND NOT bot AND attribution = 'backfilled'
) AS claimed
ASOF JOIN
(
    SELECT device, ts FROM journey(person = {person:UUID})
    WHERE workspace = {workspace:String} AND NOT bot AND attribution = 'identified'
) AS signed
ON claimed.device = signed.device AND claimed.ts <= signed.ts
GROUP BY device, signed.ts
HAVING first_date < signed_date
ORDER BY signed.ts, device
LIMIT 200
