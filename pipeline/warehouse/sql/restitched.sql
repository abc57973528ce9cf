-- How many rows a restitching wrote.
SELECT count() FROM action_log WHERE version = {version:UInt64}
