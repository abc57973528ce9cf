-- What did statements that two user IDs are one person come to: joined, taken back, refused?
SELECT
    (SELECT count() FROM alias_statements FINAL WHERE workspace = {workspace:String})                     AS statements,
    (SELECT countIf(withdrawn) FROM alias_statements FINAL WHERE workspace = {workspace:String})          AS withdrawals,
    countIf(users > 1 AND NOT refused)                                                                    AS joined_users,
    uniqExactIf(canonical_id, users > 1 AND NOT refused)                                                  AS joined_persons,
    uniqExactIf(component, refused)                                                                       AS refused_components,
    countIf(refused)                                                                                      AS refused_users
FROM person_merges FINAL
WHERE workspace = {workspace:String}
