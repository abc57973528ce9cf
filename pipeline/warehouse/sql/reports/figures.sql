-- What a person did, in figures.
    person_id,
    count()                                              AS actions,
    uniqExact(device_key)                                AS devices,
    min(ts)                                              AS first_action,
    max(ts)                                              AS last_action,
    countIf(attribution = 'identified')                  AS identified,
    countIf(attribution = 'carried')                     AS carried,
    countIf(attribution = 'backfilled')                  AS backfilled,
    countIf(attribution = 'anonymous')                   AS anonymous,
    arraySort(groupUniqArray(toString(device_type)))     AS kinds,
    count(revenue)                                       AS conversions,
    sum(ifNull(revenue, 0))                              AS spent
