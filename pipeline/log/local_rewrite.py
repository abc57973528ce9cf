"""How records of the local log are changed where they stand; it must not know what is taken out of them."""

from collections.abc import Callable, Mapping

import orjson

from pipeline.log.local_writer import LocalWriter

Rule = Callable[[bytes, Mapping[str, str]], bytes]  # value and headers -> the value to keep
_SLICE = 128  # records a transaction, as in expiry

_NEXT = "SELECT rowid, headers, value FROM records WHERE rowid > ? ORDER BY rowid LIMIT ?"


def rewrite_slice(writer: LocalWriter, after: int, rule: Rule) -> tuple[int, int, int]:
    """Apply the rule to the next records of every topic; (the last looked at or 0 at the end, looked at, changed).

    Offsets stay: a record of which nothing is left is an empty one. What is overwritten leaves no bytes behind.
    """
    rows = writer.execute(_NEXT, (after, _SLICE))
    changes = []
    for rowid, headers, value in rows:
        names = orjson.loads(headers)
        kept = rule(value, names)
        if kept != value:
            count = str(sum(1 for line in kept.split(b"\n") if line))
            changes.append((kept, orjson.dumps({**names, "count": count}).decode(), rowid))
    writer.executemany("UPDATE records SET value = ?, headers = ? WHERE rowid = ?", changes)
    return (rows[-1][0] if rows else 0), len(rows), len(changes)
