"""Every test that asks for `warehouse` runs on chDB in this process and on a server behind HTTP."""

from tests.support.clickhouse_databases import chdb_path, databases, front, reader, warehouse, warehouse_url

__all__ = ["chdb_path", "databases", "front", "reader", "warehouse", "warehouse_url"]
