-- What is known of a person.
SELECT person_id, user_ids, first_seen, last_seen, sites, traits
FROM persons
WHERE person_id = dictGetOrDefault('canonical_persons', 'canonical_id', {person:UUID}, {person:UUID})
