"""How the local log lets go of old records and of disk space; it must not know when that is due."""

import logging
import sqlite3

from pipeline.log.local_writer import LocalWriter

_log = logging.getLogger(__name__)
_SLICE = 128  # records a transaction: at 512 KiB each a second's work, and appends wait no longer
_VACUUM_PAGES = 2_048  # 32 MiB moved at a time
_FREE_SHARE = 4  # a quarter of the file stays free for the next records

_FLOOR = """
SELECT min(coalesce(position, 0)) FROM reader_groups g
LEFT JOIN positions p ON p.topic = g.topic AND p.reader_group = g.reader_group AND p.partition = ?
WHERE g.topic = ?
"""
_OLDEST = """
SELECT partition_id, offset, timestamp_ms FROM records
WHERE partition_id = (SELECT id FROM partitions WHERE topic = ? AND partition = ?) ORDER BY offset LIMIT ?
"""


def expire_slice(writer: LocalWriter, topic: str, partition: int, before_ms: int) -> int:
    """Remove up to 128 records from the head of the partition; how many. Stops at the first that must stay.

    A record stays if it is not older than `before_ms`, or if a group that reads the topic has not got past it.
    """
    floor = writer.execute(_FLOOR, (partition, topic))[0][0]
    count, cut, place = 0, 0, 0
    for place_id, offset, timestamp_ms in writer.execute(_OLDEST, (topic, partition, _SLICE)):
        if timestamp_ms >= before_ms or (floor is not None and offset >= floor):
            break
        count, cut, place = count + 1, offset, place_id
    if count:
        writer.execute("DELETE FROM records WHERE partition_id = ? AND offset <= ?", (place, cut))
        writer.execute("UPDATE partitions SET first_offset = ? WHERE id = ?", (cut + 1, place))
    return count


def give_back(connection: sqlite3.Connection) -> bool:
    """Shrink the file by up to 32 MiB if more than a quarter is free, and empty the WAL; whether there is more to do.

    The WAL still has the bytes of what was deleted: truncating it is part of forgetting.
    """
    pages, free = (int(connection.execute(f"PRAGMA {name}").fetchone()[0]) for name in ("page_count", "freelist_count"))
    surplus = free - pages // _FREE_SHARE
    if surplus > 0:
        # It frees a page a step and returns no rows: `execute` would take one step and stop.
        connection.executescript(f"PRAGMA incremental_vacuum({min(surplus, _VACUUM_PAGES)})")
    if not checkpointed(connection):
        _log.warning(
            "the log's write-ahead file could not be emptied: a reader is at work; the next expiry tries again"
        )
    return surplus > _VACUUM_PAGES


def checkpointed(connection: sqlite3.Connection) -> bool:
    """Whether the write-ahead log could be emptied: no reader holds an older page."""
    busy, _, _ = connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()
    return not busy
