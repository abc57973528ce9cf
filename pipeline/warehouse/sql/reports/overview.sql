-- How much was done, by how many devices and persons, and what stitching changed?
SELECT
    count()                                                 AS actions,
    uniqExact(device_key)                                      AS devices,
    uniqExact(person_key)                                    AS persons,
    uniqExactIf(person_key, attribution != 'anonymous')      AS signed_in_persons,
    countIf(attribution = 'identified')                     AS identified,
    countIf(attribution = 'carried')                        AS carried,
    countIf(attribution = 'backfilled')                     AS backfilled,
    countIf(attribution = 'anonymous')                      AS anonymous,
    if(actions = 0, 0, (actions - anonymous) / actions)     AS identified_share,
    if(actions = 0, 0, identified / actions)                AS sent_share,
    if(persons = 0, 0, devices / persons)                   AS devices_per_person,
    if(persons = 0, 0, devices / persons - 1)               AS larger_by_device
FROM $counted
