-- A share of them.
SELECT * FROM journey(person = {person:UUID})
WHERE cityHash64(device, event_id) % {pages:UInt32} = {page:UInt32}
