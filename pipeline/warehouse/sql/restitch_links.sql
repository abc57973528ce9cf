-- Why the rows that are about to change do: a decision a row, named after the policy.
INSERT INTO identity_links
SELECT
    workspace, device, anonymous_id, ts AS start, ts AS end, person_id, belongs_to AS user_id, attribution,
    {version:UInt64} AS version, {why:String} AS event_id, now64(3) AS decided_at, false AS late
FROM attributions(
    workspace = {workspace:String}, from_device = {from_device:String}, until_device = {until_device:String},
    known_by = {known_by:String}, lookback_ms = {lookback_ms:Int64}, bucket_ms = {bucket_ms:Int64},
    users_per_bucket_max = {users_per_bucket_max:UInt32}, logouts_per_bucket_max = {logouts_per_bucket_max:UInt32},
    users_per_device_max = {users_per_device_max:UInt32}, illegal_ids = {illegal_ids:Array(String)},
    illegal_id_patterns = {illegal_id_patterns:Array(String)}
)
WHERE stored_person_id != person_id OR stored_attribution != attribution
