-- Whose action has exactly this event ID, at any time.
(
    SELECT groupUniqArray(dictGetOrDefault('canonical_persons', 'canonical_id', person_id, person_id))
    FROM action_log FINAL
    WHERE workspace = {workspace:String} AND event_id = {search:String} AND NOT stub
) AS found,
