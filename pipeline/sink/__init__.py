"""The log to ClickHouse: rows, links, dead letters."""
