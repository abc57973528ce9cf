-- On which devices is to be looked for what they did, up to `most`?
SELECT arraySlice(arraySort(groupUniqArray(device)), 1, {most:UInt32}) AS devices
FROM person_devices
WHERE workspace = {workspace:String} AND person_id IN {members:Array(UUID)}
