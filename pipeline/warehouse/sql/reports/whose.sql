-- Who is meant by this person ID now, by which IDs they go, and on which devices to look for what they did, up to `most`?
SELECT
    dictGetOrDefault('canonical_persons', 'canonical_id', {person:UUID}, {person:UUID})                     AS person,
    (SELECT groupUniqArray(person_id) FROM $their_ids)                                                      AS members,
    (SELECT arraySlice(arraySort(groupUniqArray(device)), 1, {most:UInt32}) FROM $their_devices)            AS devices
