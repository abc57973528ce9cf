-- Whom this person ID stands for now, and whether they were ever seen in this workspace.
SELECT
    dictGetOrDefault('canonical_persons', 'canonical_id', {person:UUID}, {person:UUID}) AS person,
    (SELECT count() FROM person_devices WHERE workspace = {workspace:String} AND person_id = {person:UUID}) AS seen
