"""Sums as people read them; it must not know what they were paid for."""

from collections.abc import Iterable, Mapping
from typing import Any

_SIGNS = {"EUR": "€", "USD": "$", "GBP": "£", "JPY": "¥"}


def money(amount: float, currency: str) -> str:
    """`€2,413`, `€49.90`, `1,200 SEK`."""
    shown = f"{amount:,.0f}" if amount == int(amount) else f"{amount:,.2f}"
    sign = _SIGNS.get(currency.upper())
    return f"{sign}{shown}" if sign else f"{shown} {currency}".strip()


def by_key(rows: Iterable[Mapping[str, Any]], key: str) -> dict[str, str]:
    """What each `key` of the rows paid (`currency`, `spent`), in words."""
    found: dict[str, dict[str, float]] = {}
    for row in rows:
        paid = found.setdefault(row[key], {})
        paid[row["currency"]] = paid.get(row["currency"], 0.0) + row["spent"]
    return {name: sums(paid) for name, paid in found.items()}


def sums(amounts: Mapping[str, float]) -> str:
    """Of several currencies, each its own: they are never added."""
    return " + ".join(money(amount, currency) for currency, amount in amounts.items()) or "–"
