-- Rows whose person is another by the facts, once more with that person and a version above all of their log.
INSERT INTO action_log
SELECT a.* REPLACE (x.person_id AS person_id, x.attribution AS attribution, false AS late, {version:UInt64} AS version)
FROM
(
    SELECT *
    FROM action_log FINAL
    WHERE workspace = {workspace:String}
      AND device >= {from_device:String} AND ({until_device:String} = '' OR device <= {until_device:String})
) AS a
INNER JOIN
(
    SELECT workspace, device, day, event_id, person_id, attribution
    FROM attributions(
        workspace = {workspace:String}, from_device = {from_device:String}, until_device = {until_device:String},
        known_by = {known_by:String}, lookback_ms = {lookback_ms:Int64}, bucket_ms = {bucket_ms:Int64},
        users_per_bucket_max = {users_per_bucket_max:UInt32}, logouts_per_bucket_max = {logouts_per_bucket_max:UInt32},
        users_per_device_max = {users_per_device_max:UInt32}, illegal_ids = {illegal_ids:Array(String)},
        illegal_id_patterns = {illegal_id_patterns:Array(String)}
    )
    WHERE stored_person_id != person_id OR stored_attribution != attribution
) AS x ON a.workspace = x.workspace AND a.device = x.device AND a.day = x.day AND a.event_id = x.event_id
