-- Everybody who was ever forgotten, by keyed hashes.
SELECT workspace, toString(kind) AS kind, hash, since, until, toString(certificate) AS certificate, erased_at
FROM suppressions FINAL
