-- What the rules say of an event on a device, and the logins around it.
SELECT
    toString(day), ts, received_at, person_id, attribution, belongs_to, rule,
    login_at, before_at, before_user, after_at, after_user, logout_at
FROM attributions(
    workspace = {workspace:String}, from_device = {from_device:String}, until_device = {until_device:String},
    known_by = {known_by:String}, lookback_ms = {lookback_ms:Int64}, bucket_ms = {bucket_ms:Int64},
    users_per_bucket_max = {users_per_bucket_max:UInt32}, logouts_per_bucket_max = {logouts_per_bucket_max:UInt32},
    users_per_device_max = {users_per_device_max:UInt32}, illegal_ids = {illegal_ids:Array(String)},
    illegal_id_patterns = {illegal_id_patterns:Array(String)}
)
WHERE event_id = {event_id:String}
ORDER BY day
