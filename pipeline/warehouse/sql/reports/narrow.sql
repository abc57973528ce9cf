-- The same actions as in `counted`, read where only figures stand: no texts but the name of an action and the kind of device.
(
    SELECT *, cityHash64(person_id) AS person_key
    FROM facts
    WHERE workspace = {workspace:String}
      AND day BETWEEN toDate({since:DateTime64(3, 'UTC')}) - 7 AND toDate({until:DateTime64(3, 'UTC')}) + 7
      AND ts >= {since:DateTime64(3, 'UTC')} AND ts < {until:DateTime64(3, 'UTC')}
      AND (NOT bot OR {bots:Bool})
      AND $segment
) AS counted
