"""Across devices: hand-overs, conversions, how soon somebody is known, who comes back; it must not know SQL."""

from collections.abc import Sequence
from datetime import date, timedelta
from typing import Any

from pipeline.report.asking import Row
from pipeline.report.web.devices import icon
from pipeline.report.web.moments import length, short_day
from pipeline.report.web.money import money, sums
from pipeline.report.web.pages.choices import choice
from pipeline.report.web.pages.page import Asked, Page
from pipeline.report.web.plot.curve import curves, per_cent
from pipeline.report.web.plot.heat import Cell, matrix, shade
from pipeline.report.web.plot.series import flows

KINDS = {"phone": "Phone", "laptop": "Desktop", "tablet": "Tablet", "app": "App", "desktop": "Other"}
_WIDE, _PHONE = (560, 250), (326, 220)
# How long somebody waited, as the report calls it; and where on the axis that ends.
_WAITED = (
    ("at once", "at once"),
    ("under a minute", "1 min"),
    ("under an hour", "1 h"),
    ("under a day", "1 d"),
    ("under 7 days", "7 d"),
    ("under 30 days", "30 d"),
    ("longer", "longer"),
)
_UNITS = ("persons", "devices")


def devices_page(asked: Asked) -> Page:
    """Four questions that only a journey across devices can answer."""
    chosen = choice(asked)
    parts, today = chosen.parts, asked.clock.date(asked.clock.now_ms)
    unit = asked.query.get("unit", "")
    unit = unit if unit in _UNITS else _UNITS[0]
    return Page(
        "devices.html",
        {
            **chosen.values("devices", "Across devices"),
            **parts.values("handovers", lambda: hand_overs(chosen.rows("handovers"))),
            **parts.values("conversions", lambda: conversions(chosen.rows("cross_device", goal=chosen.goal))),
            **parts.values("waiting", lambda: waiting(chosen.rows("identify_time"))),
            **parts.values("back", lambda: coming_back(chosen.rows("retention"), today, unit)),
            "goals": chosen.goals(),
        },
    )


def hand_overs(rows: Sequence[Row]) -> dict[str, Any]:
    """From which kind of device to which; kinds that are shown under one name are one."""
    rows = [row for row in rows if icon(row["from_kind"]) != icon(row["to_kind"])]
    merged: dict[tuple[str, str], int] = {}
    icons: dict[tuple[str, str], tuple[str, str]] = {}
    for row in rows:
        pictures = (icon(row["from_kind"]), icon(row["to_kind"]))
        pair = (KINDS[pictures[0]], KINDS[pictures[1]])
        merged[pair] = merged.get(pair, 0) + row["handovers"]
        icons[pair] = pictures
    pairs = sorted(((a, b, number) for (a, b), number in merged.items()), key=lambda pair: -pair[2])
    bands, nodes = flows(pairs)
    middle = sorted(row["median_gap_ms"] for row in rows)
    return {
        "bands": bands,
        "nodes": nodes,
        "pairs": [(*pair, icons[pair[0], pair[1]]) for pair in pairs],
        "hand_rows": [
            (row["from_kind"], row["to_kind"], row["handovers"], row["persons"], length(row["median_gap_ms"]))
            for row in rows
        ],
        "hand_overs": sum(merged.values()),
        "typical_gap": length(middle[len(middle) // 2]) if middle else "",
    }


def conversions(rows: Sequence[Row]) -> dict[str, Any]:
    """Where those who converted began, and where they did it. Conversions add up; persons would count twice."""
    cells: dict[tuple[str, str], float] = {}
    spent: dict[str, float] = {}
    for row in rows:
        pair = (KINDS[icon(row["began_on"])], KINDS[icon(row["converted_on"])])
        cells[pair] = cells.get(pair, 0) + row["conversions"]
        spent[row["currency"] or ""] = spent.get(row["currency"] or "", 0) + row["spent"]
    kinds = sorted({name for pair in cells for name in pair})
    return {
        "order_kinds": kinds,
        "matrix": matrix(cells, kinds),
        "orders": sum(cells.values()),
        "across": sum(number for (a, b), number in cells.items() if a != b),
        "several": sum(row["several_devices"] for row in rows),
        "spent": sums({currency: amount for currency, amount in spent.items() if amount}),
        "order_rows": [
            (row["began_on"], row["converted_on"], row["conversions"], row["persons"], row["several_devices"],
             money(row["spent"], row["currency"] or "") if row["spent"] else "–")
            for row in rows
        ],
    }  # fmt: skip


def waiting(rows: Sequence[Row]) -> dict[str, Any]:
    """The share of persons that was known by then; half of them is the sentence."""
    by_name = {row["waited"]: row for row in rows}
    total = sum(row["persons"] for row in rows)
    so_far, shares, table, half = 0, [], [], ""
    for name, _ in _WAITED:
        row = by_name.get(name)
        so_far += row["persons"] if row else 0
        shares.append(so_far / total if total else 0.0)
        if row:
            table.append((name, row["persons"], per_cent(so_far / total), length(row["median_ms"])))
        half = half or (name if total and so_far * 2 >= total else "")
    line, ticks = [("known", shares)], [words for _, words in _WAITED]
    return {
        "waited": total,
        "waited_half": half,
        "waited_rows": table,
        "waited_wide": curves(line, ticks, *_WIDE) if total else None,
        "waited_phone": curves(line, ticks, *_PHONE) if total else None,
    }


def coming_back(rows: Sequence[Row], today: date, unit: str) -> dict[str, Any]:
    """A curve of the weeks that are over, and a table of all of them."""
    found = {(date.fromisoformat(row["cohort"]), row["week"]): row for row in rows}
    cohorts = sorted(cohort for cohort, week in found if week == 0)
    weeks = list(range(1, 1 + max((week for _, week in found), default=0)))
    lines = [(name, _curve(found, cohorts, weeks, name, today)) for name in _UNITS]
    over = [f"week {week}" for week in weeks[: len(lines[0][1])]]
    table = [
        (week, *(per_cent(values[at]) for _, values in lines)) for at, week in enumerate(over) if at < len(lines[1][1])
    ]
    return {
        "unit": unit,
        "units": _UNITS,
        "back_first": [(name, per_cent(values[0])) for name, values in lines if values],
        "back_rows": table,
        "back_wide": curves(lines, over, *_WIDE) if over else None,
        "back_phone": curves(lines, over, *_PHONE) if over else None,
        "weeks": weeks,
        "cohorts": [_cohort(found, cohort, weeks, unit, today) for cohort in cohorts if found[cohort, 0][unit]],
    }


def _curve(
    found: dict[tuple[date, int], Row], cohorts: Sequence[date], weeks: Sequence[int], unit: str, today: date
) -> list[float]:
    """Of all whose week is over: who came back in it. It ends where no week is."""
    shares = []
    for week in weeks:
        done = [cohort for cohort in cohorts if _is_over(cohort, week, today)]
        of = sum(found[cohort, 0][unit] for cohort in done)
        if not of:
            break
        shares.append(sum(found[cohort, week][unit] for cohort in done if (cohort, week) in found) / of)
    return shares


def _is_over(cohort: date, week: int, today: date) -> bool:
    return cohort + timedelta(days=7 * (week + 1)) <= today


def _cohort(
    found: dict[tuple[date, int], Row], cohort: date, weeks: Sequence[int], unit: str, today: date
) -> tuple[str, int, list[Cell | None]]:
    """Its Monday, its size, and a cell for each week that has begun; a week that is not over is marked."""
    size = found[cohort, 0][unit]
    cells: list[Cell | None] = []
    for week in weeks:
        if cohort + timedelta(days=7 * week) > today:
            cells.append(None)
            continue
        share = found[cohort, week][unit] / size if (cohort, week) in found else 0.0
        cells.append(Cell(share, shade(share, 1), not _is_over(cohort, week, today)))
    return short_day(cohort), size, cells
