-- How many row versions there are to look at.
SELECT count() FROM action_log WHERE {workspace:String} IN ('', toString(workspace))
