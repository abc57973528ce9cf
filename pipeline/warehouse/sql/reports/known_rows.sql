-- What these persons did, of all times.
(
    SELECT
        dictGetOrDefault('canonical_persons', 'canonical_id', action_log.person_id, action_log.person_id) AS person_id,
        user_id, ts, event_id, device, site_id, traits, traits_once
    FROM action_log FINAL
    PREWHERE workspace = {workspace:String}
      AND device IN $few_devices
    WHERE NOT stub
)
