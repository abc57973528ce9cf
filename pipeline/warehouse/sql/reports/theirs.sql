-- The actions of one person in the period, across devices.
(
    SELECT *
    FROM journey(person = {person:UUID})
    WHERE workspace = {workspace:String}
      AND ts >= {since:DateTime64(3, 'UTC')} AND ts < {until:DateTime64(3, 'UTC')}
      AND (NOT bot OR {bots:Bool})
) AS theirs
