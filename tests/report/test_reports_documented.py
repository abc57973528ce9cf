"""The data dictionary names every report, column, parameter and field there is."""

import re
from pathlib import Path

import pytest

from pipeline.limits import SEGMENT_CHARS_MAX, SEGMENT_CONDITIONS_MAX, SEGMENT_DEPTH_MAX, SEGMENT_VALUES_MAX
from pipeline.report.catalogue import REPORTS
from pipeline.report.reports import COMMON
from pipeline.report.segments.compile import compiled
from pipeline.report.segments.condition import Condition
from pipeline.report.segments.fields import FIELDS
from pipeline.warehouse.texts import sql_text

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "schemas" / "README.md").read_text()
REPORTS_PAGE, SEGMENTS_PAGE = PAGE.split("\n## Reports\n")[1].split("\n## Segments\n")
SECTIONS = {title: body for title, _, body in (part.partition("\n") for part in REPORTS_PAGE.split("\n### "))}


@pytest.mark.parametrize("name", sorted(REPORTS))
def test_a_report_and_its_columns_are_in_the_dictionary(name: str) -> None:
    """In a section with its name in the title."""
    (body,) = (body for title, body in SECTIONS.items() if f"`{name}`" in title)

    assert [column for column in REPORTS[name].columns if f"`{column}`" not in body] == []


def test_every_parameter_is_in_the_dictionary() -> None:
    """Common ones and a report's own, cursors included."""
    words = set(re.findall(r"\w+", SECTIONS[""])) | {"before_event", "before_ts"}
    own = {parameter.name for report in REPORTS.values() for parameter in (*COMMON, *report.parameters)}

    assert own - words == set()


def test_every_field_is_in_the_dictionary_and_its_example_is_a_segment() -> None:
    """And the examples on the page are segments too."""
    for name, field in FIELDS.items():
        assert f".{name.split('.')[1]}`" in SEGMENTS_PAGE if "." in name else name in SEGMENTS_PAGE
        assert isinstance(compiled(field.example), Condition), field.example
    for text in SEGMENTS_PAGE.split("```")[1].strip().splitlines():
        assert isinstance(compiled(text), Condition), text


def test_the_bounds_on_the_page_are_those_in_force() -> None:
    """In one sentence."""
    assert (
        f"Up to {SEGMENT_CHARS_MAX:,} characters, {SEGMENT_CONDITIONS_MAX} conditions, {SEGMENT_DEPTH_MAX} inside one "
        f"another, {SEGMENT_VALUES_MAX} values" in SEGMENTS_PAGE
    )


def test_every_question_is_a_file_that_begins_with_it() -> None:
    """And no file is left over."""
    folder = ROOT / "pipeline" / "warehouse" / "sql" / "reports"
    pieces = {"counted", "figures", "found", "named", "persons_found", "searched", "spans", "sums", "theirs"}
    pieces |= {
        "few_devices",
        "few_rows",
        "newest",
        "newest_devices",
        "newest_persons",
        "known_rows",
        "known_rows_of_one",
        "their_devices",
        "their_ids",
        "whose",
        "whose_devices",
    }

    assert {path.stem for path in folder.glob("*.sql")} == {*REPORTS, *pieces}
    for name in REPORTS:
        assert re.match(r"-- .+\n", sql_text(f"reports/{name}"))
