"""Tables and timelines as people read them."""

import json

from pipeline import terminal


def _action(moment: str, device: str, kind: str, name: str, attribution: str) -> dict[str, str]:
    return {
        "ts": f"{moment}.000Z",
        "device": f"d:{device}",
        "device_type": kind,
        "type": "page",
        "name": name,
        "title": "",
        "url": "",
        "attribution": attribution,
    }


def test_a_journey_reads_from_top_to_bottom() -> None:
    """A line a day; then time, device, what happened, and how we know."""
    actions = [
        _action("2026-11-21T21:04:05", "laptop", "desktop", "Shoes", "backfilled"),
        _action("2026-11-22T08:00:00", "phone", "smartphone", "Cart", "identified"),
    ]

    actual = [" ".join(line.split()) for line in terminal.journey(actions)]

    assert [
        "2026-11-21",
        "21:04:05 desktop laptop page Shoes backfilled",
        "2026-11-22",
        "08:00:00 smartphone phone page Cart identified",
    ] == actual


def test_a_page_title_cannot_move_the_cursor() -> None:
    """Escape sequences and line breaks from trackers are shown as what they are not: harmless."""
    lines = list(terminal.table(["title"], [["\x1b[2Jgone\r\nnext\u202e"]]))

    assert not any(c in "".join(lines) for c in "\x1b\r\n\u202e")


def test_long_cells_are_cut_for_people_and_not_for_scripts() -> None:
    """The table ends a long cell in an ellipsis; JSON keeps it."""
    text = "x" * 500

    shown = list(terminal.table(["url"], [[text]]))[-1]
    (line,) = terminal.json_lines(["url"], [[text]])

    assert shown.endswith("…") and len(shown) < 100
    assert {"url": text} == json.loads(line)


def test_an_empty_answer_still_names_its_columns() -> None:
    """Nothing found is an answer."""
    assert ["a  b", "-  -"] == list(terminal.table(["a", "b"], []))
