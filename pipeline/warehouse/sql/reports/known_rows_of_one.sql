-- What the one person did, of all times, where it is known where to look.
(
    SELECT {person:UUID} AS person_id, user_id, ts, event_id, device, site_id, traits, traits_once
    FROM action_log FINAL
    PREWHERE workspace = {workspace:String} AND device IN $their_devices
    WHERE NOT stub AND action_log.person_id IN $their_ids
)
