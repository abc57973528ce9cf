-- Who was there? A page of persons by `sort`; `search` is part of a user ID or a trait, or a whole device or event ID.
-- First who is found, if anybody is looked for; then who is on the page, by what it is sorted by; then all the rest, of
-- them alone.
WITH
$found
(
    SELECT groupArray((person_id, rank))
    FROM
    (
        SELECT
            person_id,
            toFloat64($rank) * if({ascending:Bool}, -1, 1) AS rank
        FROM $counted
        WHERE $searched
        GROUP BY person_id
        HAVING rank < {after_rank:Float64} OR (rank = {after_rank:Float64} AND person_id > {after_person:UUID})
        ORDER BY rank DESC, person_id
        LIMIT {limit:UInt32}
    )
) AS page
SELECT
    $figures,
    transform(person_id, page.1, page.2, 0)              AS rank
FROM $few_rows
WHERE person_id IN (SELECT arrayJoin($few))
GROUP BY person_id
ORDER BY rank DESC, person_id
