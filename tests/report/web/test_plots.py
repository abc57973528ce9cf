"""The time axis as promises: nothing is folded that happened, everything is covered, nothing grows without end."""

from collections.abc import Sequence
from datetime import date, timedelta
from itertools import pairwise
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.limits import AXIS_NODES_MAX, DAY_MS, HOUR_MS, MINUTE_MS
from pipeline.report.web.moments import Clock, length
from pipeline.report.web.pages.measures import wilson
from pipeline.report.web.plot.acts import VISIT_GAP_MS, Act, Visit, visits
from pipeline.report.web.plot.axis import CLUSTER_PX_MIN, axis, fold_width
from pipeline.report.web.plot.dense import Day, dense
from pipeline.report.web.plot.lanes import LANES_MAX, lanes, marks, patches
from pipeline.report.web.plot.picture import STEPS, WIDTH_PX, picture
from pipeline.report.web.plot.series import flows, nice, stacked, threads

START_MS = 1_793_800_000_000
CLOCK = Clock(ZoneInfo("UTC"), START_MS)


def made(device: int, minutes: float, how: int, number: int = 0) -> Act:
    """An action: `how` is 0 identified, 1 carried, 2 backfilled, 3 nobody's, 4 a sign-out, 5 an order."""
    attribution = ("identified", "carried", "backfilled", "anonymous", "anonymous", "carried")[how]
    return Act(
        anchor=f"a{number}", event_id=f"e{number}", ts_ms=START_MS + int(minutes * MINUTE_MS), device=f"d:{device}",
        attribution=attribution, kind="page", title=f"Page {number}", path="/", user_id="u-1" if how == 0 else "",
        mine=how != 3, logout=how == 4, revenue=9.0 if how == 5 else None, currency="EUR",
    )  # fmt: skip


SEEN = st.lists(
    st.tuples(st.integers(0, 8), st.floats(0, 40 * 24 * 60, allow_nan=False), st.integers(0, 5)),
    min_size=1,
    max_size=90,
)


def world(seen: Sequence[tuple[int, float, int]]) -> list[Visit]:
    return visits(made(device, minutes, how, number) for number, (device, minutes, how) in enumerate(seen))


@given(SEEN, st.integers(0, STEPS - 1))
def test_a_fold_never_lies_inside_a_visit(seen: list[tuple[int, float, int]], step: int) -> None:
    """Nothing happened in a fold, on any device; and it is at least half an hour."""
    found = world(seen)
    scaled = axis(found, WIDTH_PX, step)

    for fold in scaled.folds:
        assert fold.ms >= VISIT_GAP_MS
        assert not [one for one in found if one.start_ms < fold.end_ms and one.end_ms > fold.start_ms]


@given(SEEN, st.integers(0, STEPS - 1))
def test_time_never_runs_backwards_and_one_scale_holds(seen: list[tuple[int, float, int]], step: int) -> None:
    """Inside clusters a minute is as long everywhere; later is never further left; nothing is outside."""
    scaled = axis(world(seen), WIDTH_PX, step)
    times = sorted(act.ts_ms for visit in world(seen) for act in visit.acts)

    assert [scaled.x(ms) for ms in times] == sorted(scaled.x(ms) for ms in times)
    assert 0 < scaled.x(times[0]) <= scaled.x(times[-1]) < scaled.width
    for cluster in scaled.clusters:
        assert cluster.width >= CLUSTER_PX_MIN
        long = scaled.x(cluster.end_ms) - scaled.x(cluster.start_ms)
        assert long == pytest.approx((cluster.end_ms - cluster.start_ms) * scaled.px_per_ms, abs=0.3)


@given(SEEN)
def test_clusters_and_folds_stand_side_by_side(seen: list[tuple[int, float, int]]) -> None:
    """Without a gap and without touching."""
    scaled = axis(world(seen), WIDTH_PX)
    parts = sorted([*scaled.clusters, *scaled.folds], key=lambda part: part.x)

    for left, right in pairwise(parts):
        assert left.x + left.width == pytest.approx(right.x, abs=0.3)


@given(SEEN)
def test_patches_cover_every_mark(seen: list[tuple[int, float, int]]) -> None:
    """With the attribution of that mark, and beyond the first and the last."""
    found = world(seen)
    scaled, rows = axis(found, WIDTH_PX, 1), lanes(found)
    for visit in found:
        sewn = list(patches(visit, scaled, rows.of(visit.device)))
        for act in visit.acts:
            x = scaled.x(act.ts_ms)
            under = [patch for patch in sewn if patch.x - 2.5 <= x <= patch.x + patch.width + 2.5]
            assert act.attribution in {patch.attribution for patch in under}
        assert sewn[0].x < scaled.x(visit.start_ms)
        assert sewn[-1].x + sewn[-1].width > scaled.x(visit.end_ms)


@given(SEEN)
def test_every_action_is_in_one_mark_and_some_are_never_merged(seen: list[tuple[int, float, int]]) -> None:
    """Sign-ins, sign-outs and orders stand alone; what is merged has one attribution."""
    found = world(seen)
    scaled, rows = axis(found, WIDTH_PX), lanes(found)
    drawn = [mark for visit in found for mark in marks(visit, scaled, rows.of(visit.device))]

    assert sorted(a.anchor for mark in drawn for a in mark.acts) == sorted(a.anchor for v in found for a in v.acts)
    for mark in drawn:
        assert len({act.attribution for act in mark.acts}) == 1
        assert len(mark.acts) == 1 or not any(act.special for act in mark.acts)


@given(SEEN, st.integers(0, STEPS - 1))
def test_a_drawing_stays_small(seen: list[tuple[int, float, int]], step: int) -> None:
    """Or there is none, and a column stands for a day."""
    drawn = picture(world(seen), CLOCK, step)

    assert drawn is None or drawn.nodes <= AXIS_NODES_MAX
    assert drawn is None or drawn.lanes.count <= LANES_MAX + 1


@given(SEEN)
def test_labels_of_a_lane_never_touch(seen: list[tuple[int, float, int]]) -> None:
    """They are dropped instead."""
    drawn = picture(world(seen), CLOCK, 2)
    if drawn is None:
        return
    boxes: dict[float, list[tuple[float, float]]] = {}
    for label in drawn.labels:
        wide = len(label.text) * 6.7
        left = label.x - {"start": 0.0, "middle": wide / 2, "end": wide}[label.anchor]
        boxes.setdefault(label.y, []).append((left, left + wide))
    for placed in boxes.values():
        for (_, end), (start, _) in pairwise(sorted(placed)):
            assert start >= end


def test_many_actions_are_columns() -> None:
    """401 marks are too many for single ones."""
    many = [made(0, number, 1, number) for number in range(401)]

    assert picture(visits(many), CLOCK) is None
    assert picture(visits(many[:400]), CLOCK) is not None


@given(st.lists(st.tuples(st.integers(0, 9), st.integers(0, 3_650), st.integers(1, 500)), min_size=1, max_size=400))
def test_ten_years_of_days_stay_small(days: list[tuple[int, int, int]]) -> None:
    """However long the journey; and every action is in a column."""
    first = date(2020, 1, 1)
    given_days = [Day(f"d:{device}", first + timedelta(days=n), (count, 1, 0, 2)) for device, n, count in days]
    drawn = dense(given_days, WIDTH_PX)

    assert len(drawn.columns) < AXIS_NODES_MAX
    assert {column.attribution for column in drawn.columns} == {"identified", "carried", "anonymous"}
    assert all(0 <= column.x <= drawn.width for column in drawn.columns)


def test_a_sign_in_claims_what_came_before_on_its_device() -> None:
    """And only that: another device's pages wait for their own sign-in."""
    found = visits(
        [made(0, 0, 2, 1), made(0, 3, 2, 2), made(1, 4, 2, 3), made(0, 6, 0, 4), made(0, 9, 1, 5), made(1, 99, 0, 6)]
    )
    by_anchor = {act.anchor: act for visit in found for act in visit.acts}

    assert (2, 1) == (by_anchor["a4"].claimed, by_anchor["a6"].claimed)
    assert ["a4", "a4", "a6"] == [by_anchor[name].claimed_by for name in ("a1", "a2", "a3")]
    assert by_anchor["a4"].login


def test_a_user_named_in_every_hit_signs_in_once() -> None:
    """Trackers that restate the user do not sign in at every page."""
    found = visits([made(0, n, 0, n) for n in range(5)])

    assert [True, False, False, False, False] == [act.login for visit in found for act in visit.acts]


def test_folds_are_narrow_however_long() -> None:
    """Under a day, under a week, above."""
    assert (22.0, 29.0, 40.0) == (fold_width(DAY_MS - 1), fold_width(DAY_MS), fold_width(7 * DAY_MS))


@pytest.mark.parametrize(
    ("ms", "words"),
    [
        (3 * DAY_MS + 12 * HOUR_MS, "3 d 12 h"),
        (DAY_MS, "1 d"),
        (16 * HOUR_MS + 36 * MINUTE_MS, "16 h 36 min"),
        (0, "0 s"),
    ],
)
def test_lengths_have_two_units(ms: int, words: str) -> None:
    """The two largest, and no more."""
    assert words == length(ms)


def test_clocks_that_go_back_inside_a_visit_are_said() -> None:
    """25 October 2026, 03:00 in Stockholm becomes 02:00."""
    back = 1_792_890_000_000
    zone = Clock(ZoneInfo("Europe/Stockholm"), back)
    drawn = picture(visits([made(0, (back - START_MS) / MINUTE_MS + n, 1, n) for n in (-10, 10)]), zone)

    assert drawn is not None
    assert ["clocks back"] == [words for _, words in drawn.clock_changes]


@given(st.integers(0, 5_000), st.integers(0, 5_000))
def test_an_interval_holds_its_share(hits: int, more: int) -> None:
    """And stays between nothing and everything."""
    share, low, high = wilson(hits, hits + more)

    assert 0 <= low <= share + 1e-9
    assert share - 1e-9 <= high <= 1


@given(st.integers(0, 10**9), st.integers(0, 10**6), st.integers(0, 10**6))
def test_plain_plots_stand_any_counts(most: int, signed: int, others: int) -> None:
    """Nothing, one, a thousand million."""
    assert nice(most) >= most
    assert len(threads(signed, min(signed, others), others)) <= 29
    assert stacked([(date(2026, 1, 1), (most, 0, signed, others))], 820, 250).grid[0][1] == "0"
    bands, nodes = flows([("Phone", "Desktop", most + 1), ("Desktop", "Phone", signed + 1)])
    assert (2, 4) == (len(bands), len(nodes))
