-- The actions of one person in the period, across devices: the view `journey` without its layers, which cost more than
-- the reading does.
(
    SELECT *
    FROM actions
    WHERE workspace = {workspace:String}
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
      AND person_id = dictGetOrDefault('canonical_persons', 'canonical_id', {person:UUID}, {person:UUID})
      AND ts >= {since:DateTime64(3, 'UTC')} AND ts < {until:DateTime64(3, 'UTC')}
      AND (NOT bot OR {bots:Bool})
) AS theirs
