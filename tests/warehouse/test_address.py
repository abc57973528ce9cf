"""One URL says which warehouse."""

import pytest

from pipeline.warehouse.address import Embedded, Server, parse


@pytest.mark.parametrize(
    ("url", "address"),
    [
        ("chdb:///var/lib/seamline", Embedded("/var/lib/seamline")),
        ("chdb:///a%20b?database=shop", Embedded("/a b", "shop")),
        ("clickhouse://ch.example", Server("ch.example", 8123, "default", False)),
        ("clickhouse://bob@ch.example:9/shop", Server("ch.example", 9, "bob", False, "shop")),
        ("clickhouses://bob@ch.example/shop", Server("ch.example", 8443, "bob", True, "shop")),
    ],
)
def test_a_url_is_an_address(url: str, address: Embedded | Server) -> None:
    """Embedded by a directory, a server by its host; the database is `seamline` unless it says otherwise."""
    assert address == parse(url)


@pytest.mark.parametrize(
    "url", ["", "chdb://relative/path", "chdb:///", "clickhouse://", "http://x:8123/", "clickhouse:///db", "/var/lib"]
)
def test_anything_else_is_refused_with_what_was_expected(url: str) -> None:
    """The message carries the form that would be right."""
    with pytest.raises(ValueError, match="expected chdb:///"):
        parse(url)


def test_a_password_in_a_url_is_refused_without_being_repeated() -> None:
    """URLs end up in process lists and logs."""
    with pytest.raises(ValueError, match="no password") as refusal:
        parse("clickhouse://bob:hunter2@ch.example/shop")

    assert "hunter2" not in str(refusal.value)
