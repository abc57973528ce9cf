-- What a policy makes of the rows of a stretch of devices. Persons whom nobody signed in as belong to one device, and so
-- to one stretch: they can be counted here. Users are on many, and are named by a hash.
SELECT
    count(), countIf(moved), uniqExactIf((workspace, device), changed),
    sumMapIf(map(concat(stored_attribution, ' ', attribution), 1), changed),
    uniqExactIf(stored_person_id, stored_attribution = 'anonymous'),
    uniqExactIf(person_id, attribution = 'anonymous'),
    groupUniqArrayIf(cityHash64(stored_person_id), stored_attribution != 'anonymous'),
    groupUniqArrayIf(cityHash64(person_id), attribution != 'anonymous')
FROM
(
    SELECT *, stored_person_id != person_id AS moved, moved OR stored_attribution != attribution AS changed
    FROM attributions(
        workspace = {workspace:String}, from_device = {from_device:String}, until_device = {until_device:String},
        known_by = {known_by:String}, lookback_ms = {lookback_ms:Int64}, bucket_ms = {bucket_ms:Int64},
        users_per_bucket_max = {users_per_bucket_max:UInt32}, logouts_per_bucket_max = {logouts_per_bucket_max:UInt32},
        users_per_device_max = {users_per_device_max:UInt32}, illegal_ids = {illegal_ids:Array(String)},
        illegal_id_patterns = {illegal_id_patterns:Array(String)}
    )
)
