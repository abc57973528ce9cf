"""One directory of chDB for the tests that end in the real warehouse."""

from tests.support.clickhouse_databases import chdb_path

__all__ = ["chdb_path"]
