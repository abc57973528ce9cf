-- A day that need not be cut: of one person, inside the period, on one date of the time zone.
NOT mixed
AND first_ts >= {since:DateTime64(3, 'UTC')} AND last_ts < {until:DateTime64(3, 'UTC')}
AND toDate(first_ts, {zone:String}) = toDate(last_ts, {zone:String})
