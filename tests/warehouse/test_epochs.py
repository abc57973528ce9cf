"""A log that is new gets a higher epoch, and only then."""

from concurrent.futures import ThreadPoolExecutor

from pipeline.warehouse.client import Warehouse
from pipeline.warehouse.epochs import epoch_of


def test_a_log_keeps_its_epoch_and_a_new_one_gets_the_next(warehouse: Warehouse) -> None:
    """Registered at every start of every stage."""
    epochs = [warehouse.register_log(log, "hits") for log in ("a", "a", "b", "a", "b", "c")]

    assert epochs == [1, 1, 2, 1, 2, 3]
    assert warehouse.current_epoch("hits") == 3
    assert warehouse.current_epoch("other") is None


def test_topics_share_the_numbers(warehouse: Warehouse) -> None:
    """Versions of all logs meet in one table."""
    assert [warehouse.register_log("a", "hits"), warehouse.register_log("a", "more"), warehouse.new_epoch("hits")] == [
        1,
        2,
        3,
    ]
    assert warehouse.current_epoch("hits") == 3


def test_processes_that_start_together_agree(warehouse: Warehouse) -> None:
    """Eight workers of one log."""
    with ThreadPoolExecutor(8) as pool:
        epochs = set(pool.map(lambda _: warehouse.register_log("a", "hits"), range(8)))

    assert epochs == {1}


def test_two_logs_that_met_part_ways() -> None:
    """Both saw number 1 free and took it; the one that sees the other after writing moves up."""
    rows: list[tuple[str, str, int]] = []

    def query(sql: str, params: object) -> list[list[object]]:
        newest = {(topic, log): epoch for topic, log, epoch in sorted(rows, key=lambda row: row[2])}
        return [[topic, log, epoch] for (topic, log), epoch in newest.items()]

    def insert(epoch: int) -> None:
        if not rows:
            rows.append(("hits", "other", epoch))  # written by somebody else between our look and our insert
        rows.append(("hits", "ours", epoch))

    assert epoch_of("ours", "hits", query, insert) > 1
    assert epoch_of("other", "hits", query, insert) == 1
