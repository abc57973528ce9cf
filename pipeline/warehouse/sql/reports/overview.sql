-- How much was done, by how many devices and persons, and what stitching changed?
SELECT
    identified + carried + backfilled + anonymous           AS actions,
    uniqExact(device_key)                                   AS devices,
    uniqExact(person_key)                                   AS persons,
    uniqExactIf(person_key, sums.identified + sums.carried + sums.backfilled > 0) AS signed_in_persons,
    sum(sums.identified)                                    AS identified,
    sum(sums.carried)                                       AS carried,
    sum(sums.backfilled)                                    AS backfilled,
    sum(sums.anonymous)                                     AS anonymous,
    if(actions = 0, 0, (actions - anonymous) / actions)     AS identified_share,
    if(actions = 0, 0, identified / actions)                AS sent_share,
    if(persons = 0, 0, devices / persons)                   AS devices_per_person,
    if(persons = 0, 0, devices / persons - 1)               AS larger_by_device
FROM $sums
