"""ClickHouse, in this process or on a server: one client, the same SQL, numbered migrations."""
