-- Who is meant by this person ID now, and which other IDs stand for the same person?
SELECT
    dictGetOrDefault('canonical_persons', 'canonical_id', {person:UUID}, {person:UUID}) AS person,
    groupUniqArrayIf(person_id, dictGetOrDefault('canonical_persons', 'canonical_id', person_id, person_id) = canonical_id) AS others
FROM merged_persons
WHERE canonical_id = dictGetOrDefault('canonical_persons', 'canonical_id', {person:UUID}, {person:UUID})
