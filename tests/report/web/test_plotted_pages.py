"""Pages of plots: the same numbers as the reports they ask, every choice in the address, and words where nothing is."""

import re
from datetime import date
from typing import Any

import msgspec
import pytest

from pipeline.limits import DAY_MS, HOUR_MS
from pipeline.report.asking import rows
from pipeline.report.parameters import Problem
from pipeline.report.segments.compile import compiled, compiled_step
from pipeline.report.segments.condition import Condition
from pipeline.report.web.pages.across import coming_back, conversions, hand_overs, waiting
from tests.report.web.conftest import Seen
from tests.report.web.seeded import NEW, SHOP

PATHS = ("devices", "funnel", "campaigns", "identity")
ALWAYS = {"workspace": SHOP, "since": "2000-01-01", "until": "2100-01-01", "zone": "UTC"}


def page(seen: Seen, path: str, workspace: str = SHOP, **query: str) -> str:
    reply = seen.client.get(f"/report/{workspace}/{path}", params=query)
    assert 200 == reply.status_code, reply.text[:500]
    return reply.text


def reported(seen: Seen, report: str, segment: str = "", steps: tuple[str, ...] = (), **more: Any) -> list[Any]:
    who = compiled(segment)
    conditions = [compiled_step(text, number) for number, text in enumerate(steps)]
    assert isinstance(who, Condition)
    found = rows(seen.ask, report, {**ALWAYS, **more}, who, [one for one in conditions if isinstance(one, Condition)])
    assert not isinstance(found, Problem)
    return found


def table(text: str, caption: str) -> list[list[str]]:
    """The cells of a plot's table, heads left out."""
    (body,) = re.findall(rf"<caption[^>]*>{re.escape(caption)}</caption>.*?<tbody>(.*?)</tbody>", text, re.DOTALL)
    cells = r"<t[hd][^>]*>(.*?)</t[hd]>"
    return [re.findall(cells, row, re.DOTALL) for row in re.findall(r"<tr>(.*?)</tr>", body, re.DOTALL)]


def test_the_devices_page_has_the_reports_numbers(seen: Seen) -> None:
    """In its sentences and in the tables behind its plots; a segment changes them."""
    for segment in ("", "devices >= 2"):
        text = page(seen, "devices", days="90", segment=segment)
        went_on, converted = reported(seen, "handovers", segment), reported(seen, "cross_device", segment)
        orders, several = (sum(row[name] for row in converted) for name in ("conversions", "several_devices"))

        assert f"{several} of {orders} needed more than one device." in text
        assert f">{sum(row['handovers'] for row in went_on)} time" in text
        assert [[r["from_kind"], r["to_kind"], str(r["handovers"])] for r in went_on] == [
            row[:3] for row in table(text, "Hand-overs")
        ]
        assert [str(r["persons"]) for r in reported(seen, "identify_time", segment)] == [
            row[1] for row in table(text, "Time to identify")
        ]


def test_the_funnel_page_has_the_reports_numbers(seen: Seen) -> None:
    """Persons beside devices, each step of the first and of the one before; the time is in the address."""
    steps = ("/bikes", "/basket", "Order")
    for within, within_ms in (("7d", 7 * DAY_MS), ("1h", HOUR_MS)):
        query = {f"step{number}": text for number, text in enumerate(steps, 1)}
        text = page(seen, "funnel", days="90", within=within, **query)
        found = reported(seen, "funnel", steps=steps, within_ms=within_ms)
        shown = table(text, "The funnel step by step")

        assert [(r["persons"], r["devices"]) for r in found] == [
            (int(row[1]), int(row[4])) for row in shown[: len(found)]
        ]
        assert [row[0] for row in shown] == list(steps)
    assert found[0]["persons"] > found[1]["persons"]


def test_a_funnel_without_steps_is_an_example(seen: Seen) -> None:
    """From the busiest page to what is done most; a wrong step says so below itself, and nothing is drawn."""
    text = page(seen, "funnel")
    assert 'value="/bikes"' in text
    assert 'value="Order"' in text
    assert "An example" in text
    wrong = page(seen, "funnel", step1="Order", step2="devices >=")
    assert 'id="step2-fault"' in wrong
    assert "chart-820" not in wrong


@pytest.mark.parametrize("level", ["source", "medium", "campaign"])
def test_campaigns_add_up_however_they_are_grouped(seen: Seen, level: str) -> None:
    """Each conversion has one first and one last touch; money stays with its currency."""
    found = reported(seen, "campaigns", limit=1_000)
    conversions_all = sum(row["first_conversions"] for row in found)
    text = page(seen, "campaigns", days="90", level=level)
    label = re.findall(r'<svg class="chart chart-1080.*?</svg>', text, re.DOTALL)[0]
    drawn = [int(number) for number in re.findall(r'<text class="strong"[^>]*>(\d+)</text>', label)]

    assert f"{conversions_all} conversions." in text
    assert conversions_all == sum(drawn)
    assert "€" not in label
    assert "€" in page(seen, "campaigns", days="90", level=level, by="EUR")


def test_identity_has_every_day_and_what_was_kept_apart(seen: Seen) -> None:
    """The table has a row a day, those without anything too."""
    text = page(seen, "identity", days="28")
    shown = table(text, "Identity day by day")
    found = reported(seen, "identity_health")

    assert 28 == len(shown)
    assert sum(row["actions"] for row in found) == sum(int(row[1].replace(",", "")) for row in shown)
    assert sum(row["contested"] for row in found) == sum(int(row[6]) for row in shown)


@pytest.mark.parametrize("path", PATHS)
def test_where_nothing_is_a_page_says_what_it_takes(seen: Seen, path: str) -> None:
    """No plot, no error, and a longer period or an example to follow."""
    text = page(seen, path, NEW)

    assert "90 days" in text
    assert 'class="flow' not in text
    assert 'class="bar-a" x=' not in text


@pytest.mark.parametrize("path", PATHS)
@pytest.mark.parametrize(
    "query",
    ["unit=x", "level=x&by=x", "goal=%00", "segment=devices+%3E", "segment=%40none", "step1=%22", "within=x", "days=0"],
)
def test_an_odd_choice_breaks_nothing(seen: Seen, path: str, query: str) -> None:
    """A page or a sentence, and no error of the server; a wrong segment says where, and everybody is shown."""
    reply = seen.client.get(f"/report/{SHOP}/{path}?{query}")

    assert reply.status_code in (200, 400)
    assert "segment" not in query or "Everybody is shown." in reply.text


def test_choices_go_along_from_page_to_page(seen: Seen) -> None:
    """Period, segment and goal stand in the links between them."""
    text = page(seen, "devices", days="7", segment="devices >= 2", goal="Order", unit="devices")

    assert f"/report/{SHOP}/campaigns?days=7&amp;segment=devices+%3E%3D+2&amp;goal=Order" in text


def test_money_has_its_currency_in_the_lists(seen: Seen) -> None:
    """Of persons in the period, of visits in each: never one sum of two currencies."""
    persons, visits = (
        page(seen, "persons", days="90", sort="conversions"),
        page(seen, "visits", days="90", segment="revenue > 0"),
    )

    assert "€2,413" in persons
    assert "900 SEK" in persons
    assert re.search(r"order (€\d+|900 SEK)</span>", visits)


def test_somebody_erased_has_left_a_date_and_no_more(seen: Seen) -> None:
    """The day is the workspace's; the page does not guess who it was."""
    at = "2026-11-04T10:00:00Z"
    row = {"workspace": NEW, "kind": "user", "hash": "a" * 32, "since": at, "until": at, "erased_at": at}
    row["certificate"] = "6b109020-0bd6-5099-b736-27d1cd1cc989"
    seen.warehouse.insert_rows("suppressions", msgspec.json.encode(row))
    gone = "/persons/00000000-0000-0000-0000-000000000001"

    assert "Somebody was erased here on <b>4 Nov</b>." in seen.client.get(f"/report/{NEW}{gone}").text
    assert "was erased here" not in seen.client.get(f"/report/{SHOP}{gone}").text


def test_the_overview_counts_what_could_not_be_taken(seen: Seen) -> None:
    """By reason, of this workspace, and of none for whoever may see all."""
    now = re.findall(r'<time datetime="([^"]+)"', page(seen, "persons/6b109020-0bd6-5099-b736-27d1cd1cc989"))[-1]
    lines = [
        b'{"id":"%d","reason":"%s","workspace":"%s","received_at":"%s"}' % (n, reason, w, now.encode())
        for n, (reason, w) in enumerate([(b"bad_hit", b"velo"), (b"bad_hit", b""), (b"other", b"otherco")])
    ]
    seen.warehouse.insert_rows("dead_letters", b"\n".join(lines))

    assert [["bad_hit", "2"]] == [row[:2] for row in table(page(seen, "overview"), "Dead letters by reason")]


def test_a_beginner_sees_what_is_still_to_come(seen: Seen) -> None:
    """Nothing yet; then all but the second device; and no list for whoever has had everything."""
    assert ["done", *["to come"] * 4] == re.findall(r"\((done|to come)\)", page(seen, "overview", NEW))
    assert [*["done"] * 4, "to come"] == re.findall(r"\((done|to come)\)", page(seen, "overview", "otherco"))
    assert "The first journey" not in page(seen, "overview")


# --- by hand -----------------------------------------------------------------------------------------------------


def test_conversions_count_each_once() -> None:
    """On another kind of device than the first, and in which currency."""
    made = [("phone", "desktop", "EUR", 3, 2, 30.0, 3), ("phone", "smartphone", "EUR", 2, 2, 20.0, 0),
            ("tablet", "desktop", "SEK", 1, 1, 900.0, 1)]  # fmt: skip
    names = ("began_on", "converted_on", "currency", "conversions", "persons", "spent", "several_devices")
    found = conversions([dict(zip(names, row, strict=True)) for row in made])

    assert (6, 4, 4, "€50 + 900 SEK") == tuple(found[name] for name in ("orders", "across", "several", "spent"))
    assert ["Desktop", "Phone", "Tablet"] == found["order_kinds"]


def test_kinds_of_one_name_are_one() -> None:
    """A phone is a phone whatever its tracker calls it: what is left between two of them is no other kind's."""
    names = ("from_kind", "to_kind", "handovers", "persons", "median_gap_ms")
    made = [
        ("smartphone", "desktop", 4, 3, HOUR_MS),
        ("phone", "desktop", 1, 1, 3 * HOUR_MS),
        ("smartphone", "phone", 9, 9, 1),
    ]
    found = hand_overs([dict(zip(names, row, strict=True)) for row in made])

    assert [("Phone", "Desktop", 5)] == [pair[:3] for pair in found["pairs"]]
    assert (5, 2) == (found["hand_overs"], len(found["hand_rows"]))


def test_half_of_the_persons_is_the_sentence() -> None:
    """Shares add up to all; the half is where they pass it."""
    names = ("waited", "persons", "shortest_ms", "median_ms", "longest_ms")
    made = [("at once", 1, 0, 0, 0), ("under an hour", 1, 9, 9, 9), ("under 7 days", 2, DAY_MS, DAY_MS, DAY_MS)]
    found = waiting([dict(zip(names, row, strict=True)) for row in made])

    assert (4, "under an hour") == (found["waited"], found["waited_half"])
    assert ["25.0\u00a0%", "50.0\u00a0%", "100\u00a0%"] == [row[2] for row in found["waited_rows"]]


def test_a_week_that_is_not_over_is_marked_and_not_in_the_curve() -> None:
    """On 18 November: of the cohort of the 2nd week 1 is over, of the 9th it runs, of the 16th it has not begun."""
    sizes = {"2026-11-02": (10, 20), "2026-11-09": (30, 40), "2026-11-16": (5, 5)}
    back = {("2026-11-02", 1): (5, 8), ("2026-11-02", 2): (4, 4), ("2026-11-09", 1): (9, 9)}
    made = [{"cohort": c, "week": 0, "persons": p, "devices": d} for c, (p, d) in sizes.items()]
    made += [{"cohort": c, "week": w, "persons": p, "devices": d} for (c, w), (p, d) in back.items()]
    found = coming_back(made, date(2026, 11, 18), "persons")

    assert [("week 1", "50.0\u00a0%", "40.0\u00a0%")] == found["back_rows"]
    assert [
        ("2 Nov", 10, [(0.5, False), (0.4, True)]),
        ("9 Nov", 30, [(0.3, True), None]),
        ("16 Nov", 5, [None, None]),
    ] == [
        (monday, size, [cell and (cell.value, cell.marked) for cell in cells])
        for monday, size, cells in found["cohorts"]
    ]
