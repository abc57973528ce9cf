-- What these devices did on these days, added up; `$which` says on which.
INSERT INTO device_days
(
    workspace, day, device_key, version, first_ts, last_ts, mixed, bot, person_key, identified, carried, backfilled, anonymous,
    first_event, kind, last_kind, slot.at, slot.last, slot.bot, slot.person_key, slot.identified, slot.carried,
    slot.backfilled, slot.anonymous, slot.first_event, slot.kind, slot.last_kind, edition, named.ts, named.bot, named.person_key, named.event_id, named.name, named.paid,
    named.revenue, named.currency, named.kind
)
WITH if(length(all_slots) = 1, [], all_slots) AS slots
SELECT
    workspace, day, device_key, highest, first.1, last.1, mixed, a_bot, a_person, sums.1, sums.2, sums.3, sums.4,
    first.2, first_kind, last.2, slots.1, slots.2, slots.3, slots.4, slots.5,
    slots.6, slots.7, slots.8, slots.9, slots.10, slots.11, 2, named.1, named.2, named.3, named.4, named.5, named.6,
    named.7, named.8, named.9
FROM
(
    SELECT
        workspace,
        day,
        device_key,
        min(begun)                                                  AS first,
        max(ended)                                                  AS last,
        max(newest)                                                 AS highest,
        min(person_key) != max(person_key) OR min(bot) != max(bot)  AS mixed,
        any(bot)                                                    AS a_bot,
        any(person_key)                                             AS a_person,
        (sum(identified), sum(carried), sum(backfilled), sum(anonymous)) AS sums,
        argMin(kind, begun)                                         AS first_kind,
        groupArray(
            (begun.1, ended.1, bot, person_key, identified, carried, backfilled, anonymous, begun.2, kind, ended.2)) AS all_slots,
        groupArrayArray(named_here)                                 AS named
    FROM
    (
        SELECT
            workspace,
            day,
            device_key,
            cityHash64(action_log.person_id)                            AS person_key,
            bot,
            min((ts, event_id))                                         AS begun,
            max((ts, toString(device_type)))                            AS ended,
            max(version)                                                AS newest,
            countIf(attribution = 'identified')                         AS identified,
            countIf(attribution = 'carried')                            AS carried,
            countIf(attribution = 'backfilled')                         AS backfilled,
            countIf(attribution = 'anonymous')                          AS anonymous,
            argMin(device_type, (ts, event_id))                         AS kind,
            groupArrayIf(
                (ts, bot, cityHash64(action_log.person_id), event_id, name, revenue IS NOT NULL, ifNull(revenue, 0), currency,
                 device_type),
                name != '' OR revenue IS NOT NULL)                      AS named_here
        FROM action_log FINAL
        PREWHERE $which
        WHERE NOT stub
        GROUP BY workspace, day, device_key, person_key, bot, toStartOfFifteenMinutes(ts)
    )
    GROUP BY workspace, day, device_key
)
