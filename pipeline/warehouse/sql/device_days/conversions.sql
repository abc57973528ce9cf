-- Who reached the goal, or paid, when, on which kind of device and what for.
(
    SELECT person_key, at, if(kind = '', 'unknown', toString(kind)) AS kind, revenue AS spent, toString(currency) AS currency
    FROM $named
    WHERE if({goal:String} = '', paid, name = {goal:String})
) AS conversions
