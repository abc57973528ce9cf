"""Which lines of a refused insert are to blame; it must not know what they mean."""

from collections.abc import Callable, Sequence

from pipeline.warehouse.errors import RowsRefused


def insert_good(insert: Callable[[bytes], None], lines: Sequence[bytes]) -> list[tuple[int, str]]:
    """Insert what can be inserted; positions and reasons of the rest, in order.

    Halves a refused run of lines until single lines are left: one bad line in n costs about 2 log2(n) inserts. Any
    other error ends it where it is; doing all of it again is harmless.
    """
    refused: list[tuple[int, str]] = []
    runs = [(0, len(lines))] if lines else []
    while runs:
        start, stop = runs.pop()
        try:
            insert(b"\n".join(lines[start:stop]))
        except RowsRefused as error:
            if stop - start == 1:
                refused.append((start, error.name))
            else:
                middle = (start + stop) // 2
                runs += [(middle, stop), (start, middle)]
    return refused
