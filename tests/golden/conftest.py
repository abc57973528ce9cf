"""A warehouse for what the sink makes of golden files."""

from tests.support.clickhouse_databases import chdb_path, databases, front, warehouse, warehouse_url

__all__ = ["chdb_path", "databases", "front", "warehouse", "warehouse_url"]
