-- Which request brought the hit: the `X-Request-Id` that ingest answered it with, and that its log lines have.
ALTER TABLE dead_letters ADD COLUMN IF NOT EXISTS request_id String COMMENT 'of the HTTP request that brought it; empty where the bytes are a whole record' AFTER site_id;
