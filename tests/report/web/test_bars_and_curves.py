"""Curves, funnels, pairs and shares as promises: everything is inside, in proportion, and readable at any numbers."""

from datetime import date, timedelta
from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from pipeline.report.web.plot.acts import ATTRIBUTIONS
from pipeline.report.web.plot.curve import curves, per_cent
from pipeline.report.web.plot.dense import Claimed, Day, dense
from pipeline.report.web.plot.funnel import funnel
from pipeline.report.web.plot.heat import matrix, shade
from pipeline.report.web.plot.pairs import pairs
from pipeline.report.web.plot.picture import WIDTH_PX
from pipeline.report.web.plot.shares import count_days, share_days

SHARES = st.lists(st.floats(0, 1), min_size=1, max_size=53)
COUNTS = st.integers(0, 10**9)
START = date(2026, 1, 1)


@given(SHARES, SHARES)
def test_a_curve_stays_inside_and_higher_is_more(first: list[float], second: list[float]) -> None:
    """Whatever its values; words at its ends touch no other's."""
    ticks = [f"week {number}" for number in range(max(len(first), len(second)))]
    drawn = curves([("persons", first), ("devices", second)], ticks, 560, 250)

    for line, values in zip(drawn.lines, (first, second), strict=True):
        assert len(values) == len(line.dots)
        assert all(0 <= x <= drawn.width and 0 <= y <= drawn.height for x, y in line.dots)
        for (low, (_, y_low)), (high, (_, y_high)) in pairwise(sorted(zip(values, line.dots, strict=True))):
            assert low <= high
            assert y_low >= y_high - 0.05
    assert abs(drawn.lines[0].label_y - drawn.lines[1].label_y) >= 31.9
    assert all(10 <= line.label_y <= drawn.height - 26 for line in drawn.lines)
    assert [False, True] == [line.dashed for line in drawn.lines]


@given(st.lists(st.tuples(COUNTS, COUNTS), min_size=1, max_size=10))
def test_a_funnel_draws_both_counts_in_proportion(counts: list[tuple[int, int]]) -> None:
    """Bars stand on the floor, inside, and the share above each is of the first step."""
    drawn = funnel([(f"{n}. /a/long/path/to/a/page", *both) for n, both in enumerate(counts, 1)], 820, 300)

    for column, (first, second) in zip(drawn.columns, counts, strict=True):
        for bar in (column.bar, column.beside):
            assert bar[1] >= 0
            assert abs(bar[1] + bar[3] - drawn.floor) < 0.3
        assert (column.bar[3] >= column.beside[3] - 0.1) == (first >= second) or abs(first - second) < 10**7
        if len(counts) <= 4:
            assert column.share == (per_cent(first / counts[0][0]) if counts[0][0] else "")
    assert "" == drawn.columns[-1].band
    places = sorted((x, x + width) for c in drawn.columns for x, _, width, _ in (c.bar, c.beside))
    assert all(end <= start + 0.2 for (_, end), (start, _) in pairwise(places))


@given(st.lists(st.tuples(st.text(max_size=80), COUNTS, COUNTS), min_size=1, max_size=12), st.sampled_from([0, 300]))
def test_pairs_fit_their_width_with_their_words(rows: list[tuple[str, int, int]], names_px: int) -> None:
    """A long name is cut with an ellipsis, a count never."""
    drawn = pairs(rows, lambda number: f"{number:,.0f}", 1080 if names_px else 326, names_px)

    for row, (name, first, second) in zip(drawn.rows, rows, strict=True):
        assert drawn.left + row.bar + len(row.bar_words) * 7 <= drawn.width
        assert drawn.left + row.under + len(row.under_words) * 7 <= drawn.width
        assert (f"{first:,}", f"{second:,}") == (row.bar_words, row.under_words)
        assert row.name == name or row.name.endswith("…")
        assert 0 <= row.y <= drawn.height


@given(st.lists(st.tuples(COUNTS, COUNTS, COUNTS, COUNTS), min_size=1, max_size=90))
def test_shares_of_a_day_are_all_of_it(days: list[tuple[int, int, int, int]]) -> None:
    """Every bar is as tall as any other; a day of nothing has none."""
    rows = [(START + timedelta(days=number), counts) for number, counts in enumerate(days)]
    drawn = share_days(rows, 820, 250)

    tops: dict[float, float] = {}
    for bar in drawn.bars:
        tops[bar.x] = min(tops.get(bar.x, 999.0), bar.y)
    assert sum(any(counts) for counts in days) == len(tops)
    assert all(abs(top - 8) < 0.2 for top in tops.values())
    assert {bar.attribution for bar in drawn.bars} <= set(ATTRIBUTIONS)
    small = count_days([(day, counts[0]) for day, counts in rows], 300, 60)
    assert all(0 <= y and y + height <= 60.3 for _, y, _, height in small.bars)
    assert max(counts[0] for counts in days) == small.most


@given(st.floats(0, 1e9), st.floats(0, 1e9))
def test_the_most_is_darkest_and_nothing_has_no_shade(value: float, more: float) -> None:
    """Five shades; more is never lighter."""
    most = value + more

    assert (0, 5 if most > 0 else 0) == (shade(0, most), shade(most, most))
    assert shade(value, most) <= shade(most, most)
    assert 0 <= shade(value, most) <= 5


def test_a_matrix_marks_what_stays_the_same() -> None:
    """And has a nought for what never happened."""
    rows = matrix({("Phone", "Desktop"): 4, ("Phone", "Phone"): 1}, ["Desktop", "Phone"])

    assert [("Desktop", [0, 0]), ("Phone", [4, 1])] == [(name, [cell.value for cell in cells]) for name, cells in rows]
    assert [[True, False], [False, True]] == [[cell.marked for cell in cells] for _, cells in rows]


def test_a_share_says_none_and_all_only_of_none_and_all() -> None:
    """A thousandth is not nothing."""
    assert ["0 %", "< 0.1 %", "41.2 %", "99.9 %", "100 %"] == [
        per_cent(share).replace("\u00a0", " ") for share in (0, 0.0001, 0.412, 0.9999, 1)
    ]


CLAIMS = st.tuples(st.integers(0, 3), st.integers(0, 900), st.integers(0, 60), st.integers(1, 99))


@given(st.lists(st.tuples(st.integers(0, 3), st.integers(0, 900)), min_size=1, max_size=60), st.lists(CLAIMS))
def test_brackets_of_many_actions_stay_in_their_lane(
    seen: list[tuple[int, int]], claimed: list[tuple[int, int, int, int]]
) -> None:
    """From the sign-in's column back to the first claimed one's; words of one lane never touch."""
    days = {(device, number) for device, number in seen}
    claims = []
    for device, first, long, actions in claimed:
        days |= {(device, first), (device, first + long)}
        ends = (START + timedelta(days=first), START + timedelta(days=first + long))
        claims.append(Claimed(f"d:{device}", *ends, actions))
    given_days = [Day(f"d:{device}", START + timedelta(days=number), (1, 0, 1, 0)) for device, number in sorted(days)]
    drawn = dense(given_days, WIDTH_PX, sorted(claims, key=lambda claim: claim.signed))

    assert len(drawn.brackets) <= len([claim for claim in claims if claim.first < claim.signed])
    spoken: dict[float, list[tuple[float, float]]] = {}
    for bracket in drawn.brackets:
        assert 52 <= bracket.y <= drawn.floor
        if bracket.word:
            half = len(bracket.word) * 6.6 / 2
            spoken.setdefault(bracket.y, []).append((bracket.x - half, bracket.x + half))
    for words in spoken.values():
        assert all(end <= start + 0.2 for (_, end), (start, _) in pairwise(sorted(words)))
