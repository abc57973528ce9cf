-- The actions of one person in the period, across devices: the view `journey` without its layers, which cost more than
-- the reading does. Workspace and device are the same in every version of a row, so they may be tested before FINAL.
(
    SELECT *
    FROM action_log FINAL
    PREWHERE workspace = {workspace:String} AND device IN $their_devices
    WHERE NOT stub
      AND person_id IN $their_ids
      AND ts >= {since:DateTime64(3, 'UTC')} AND ts < {until:DateTime64(3, 'UTC')}
      AND (NOT bot OR {bots:Bool})
) AS theirs
