-- What reports show of an event on a device.
SELECT
    toString(day), toString(site_id), toString(type), toString(name), toString(protocol),
    person_id, stitched_person_id, toString(attribution), late
FROM actions
WHERE workspace = {workspace:String} AND device = {device:String} AND event_id = {event_id:String}
