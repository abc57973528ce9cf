-- Actions with a name or revenue: by whom, on what, and what for.
(
    SELECT
        device_key, person_key, counted.name AS name, counted.revenue IS NOT NULL AS paid,
        ifNull(counted.revenue, 0) AS revenue, currency
    FROM $counted
    WHERE counted.name != '' OR counted.revenue IS NOT NULL
) AS named
