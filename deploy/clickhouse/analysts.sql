-- Who may read a ClickHouse server's `seamline`, and how much: run once by whoever administers it, then
--     CREATE USER alice IDENTIFIED WITH sha256_password BY '...' DEFAULT ROLE seamline_analyst;
-- Running it again changes nothing; limits are changed with ALTER.

-- Readers change nothing and choose no settings beyond these (readonly = 2: drivers and Grafana set formats and times).
CREATE SETTINGS PROFILE IF NOT EXISTS seamline_analyst SETTINGS
    readonly = 2,
    max_execution_time = 60 MAX 60,
    max_memory_usage = 4294967296 MAX 4294967296,
    max_threads = 4 MAX 4,
    max_result_rows = 1000000 MAX 1000000,
    do_not_merge_across_partitions_select_final = 1;

CREATE ROLE IF NOT EXISTS seamline_analyst SETTINGS PROFILE 'seamline_analyst';

-- Each analyst's own hour: a dashboard that reloads every ten seconds fits, a script that went wild does not.
CREATE QUOTA IF NOT EXISTS seamline_analyst KEYED BY user_name
    FOR INTERVAL 1 hour MAX queries = 5000, execution_time = 3600
    TO seamline_analyst;

GRANT SELECT ON seamline.* TO seamline_analyst;
GRANT dictGet ON seamline.canonical_persons TO seamline_analyst;

-- Raw bytes of refused requests, with IDs as they came; who was forgotten; and what is on its way.
REVOKE SELECT ON seamline.dead_letters FROM seamline_analyst;
REVOKE SELECT ON seamline.suppressions FROM seamline_analyst;
REVOKE SELECT ON seamline.links_staged FROM seamline_analyst;
REVOKE SELECT ON seamline.aliases_staged FROM seamline_analyst;
REVOKE SELECT ON seamline.migrations FROM seamline_analyst;
REVOKE SELECT ON seamline.log_epochs FROM seamline_analyst;
