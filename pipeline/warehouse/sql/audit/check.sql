-- Whether the rows of a stretch of devices have the persons that the facts give them; rows that came too late apart.
SELECT
    count(), countIf(differs AND NOT late), countIf(late), countIf(differs AND late),
    arraySort(groupArrayIf(20)(example, differs AND NOT late)),
    arraySort(groupArrayIf(20)(example, differs AND late)),
    max(received_at) > now64(3) - INTERVAL 1 MINUTE
FROM
(
    SELECT
        late, received_at,
        stored_person_id != person_id OR stored_attribution != attribution AS differs,
        (toString(workspace), device, event_id, toString(ts), toString(stored_person_id),
         toString(stored_attribution), toString(person_id), attribution) AS example
    FROM attributions(
        workspace = {workspace:String}, from_device = {from_device:String}, until_device = {until_device:String},
        known_by = {known_by:String}, lookback_ms = {lookback_ms:Int64}, bucket_ms = {bucket_ms:Int64},
        users_per_bucket_max = {users_per_bucket_max:UInt32}, logouts_per_bucket_max = {logouts_per_bucket_max:UInt32},
        users_per_device_max = {users_per_device_max:UInt32}, illegal_ids = {illegal_ids:Array(String)},
        illegal_id_patterns = {illegal_id_patterns:Array(String)}
    )
)
