-- How many actions a person has.
-- of a hit's full size: an answer of 64 MiB
SELECT count() FROM journey(person = {person:UUID})
