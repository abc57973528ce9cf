-- Who was there, of the few whom a search found? The same page as `persons`, without looking for who is on it first.
SELECT
    $figures,
    toFloat64($rank) * if({ascending:Bool}, -1, 1)       AS rank
FROM $few_rows
WHERE person_id IN (SELECT arrayJoin($few))
GROUP BY person_id
HAVING rank < {after_rank:Float64} OR (rank = {after_rank:Float64} AND person_id > {after_person:UUID})
ORDER BY rank DESC, person_id
LIMIT {limit:UInt32}
