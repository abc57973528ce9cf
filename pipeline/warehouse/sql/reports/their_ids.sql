-- Every ID that stands for this person now: their own, and those of whoever is the same person by alias.
(
    SELECT dictGetOrDefault('canonical_persons', 'canonical_id', {person:UUID}, {person:UUID}) AS person_id
    UNION ALL
    SELECT person_id
    FROM merged_persons
    WHERE canonical_id = dictGetOrDefault('canonical_persons', 'canonical_id', {person:UUID}, {person:UUID})
      AND dictGetOrDefault('canonical_persons', 'canonical_id', person_id, person_id) = canonical_id
)
