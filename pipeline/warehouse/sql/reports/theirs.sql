-- The actions of one person in the period, across devices: the view `journey` without its layers, which cost more than
-- the reading does. Workspace and device are the same in every version of a row, so they may be tested before FINAL.
(
    SELECT *
    FROM action_log FINAL
    PREWHERE workspace = {workspace:String}
      AND device IN
      (
          SELECT device
          FROM person_devices
          WHERE workspace = {workspace:String} AND person_id IN
          (
              SELECT person_id
              FROM merged_persons
              WHERE canonical_id = dictGetOrDefault('canonical_persons', 'canonical_id', {person:UUID}, {person:UUID})
              UNION ALL
              SELECT dictGetOrDefault('canonical_persons', 'canonical_id', {person:UUID}, {person:UUID})
          )
      )
    WHERE NOT stub
      AND dictGetOrDefault('canonical_persons', 'canonical_id', person_id, person_id)
          = dictGetOrDefault('canonical_persons', 'canonical_id', {person:UUID}, {person:UUID})
      AND ts >= {since:DateTime64(3, 'UTC')} AND ts < {until:DateTime64(3, 'UTC')}
      AND (NOT bot OR {bots:Bool})
) AS theirs
