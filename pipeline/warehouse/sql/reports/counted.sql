-- The actions that reports count: of one workspace and period, without bots unless asked for, of the segment's persons.
-- Where they are only counted or grouped, persons and devices go by a hash of 64 bits: half the time and a third of the
-- memory, and of ten million two meet once in 370,000 reports.
-- Only `day` prunes. It is the day the client believed in, so a week is added at both ends for clocks that are wrong.
(
    SELECT *, cityHash64(person_id) AS person_key
    FROM actions
    WHERE workspace = {workspace:String}
      AND day BETWEEN toDate({since:DateTime64(3, 'UTC')}) - 7 AND toDate({until:DateTime64(3, 'UTC')}) + 7
      AND ts >= {since:DateTime64(3, 'UTC')} AND ts < {until:DateTime64(3, 'UTC')}
      AND (NOT bot OR {bots:Bool})
      AND $segment
) AS counted
