"""The judge of readers' SQL, on texts as formatQuery prints them."""

import pytest

from pipeline.warehouse.guard import refusal

OUTSIDE = frozenset({"file", "url", "numbers", "remote", "view"})


@pytest.mark.parametrize(
    "printed",
    [
        "SELECT count()\nFROM actions",
        "SELECT 'file(' AS x, 'INTO OUTFILE' AS y, 'it\\'s file(1)'",
        "SELECT url, path(url), domain(url)\nFROM actions",
        "SELECT number\nFROM numbers(3)",
        "SELECT *\nFROM journey(person = '00000000-0000-0000-0000-00000000000a')",
        "WITH a AS\n    (\n        SELECT 1\n    )\nSELECT *\nFROM a",
    ],
)
def test_questions_about_actions_pass(printed: str) -> None:
    """Texts that only look dangerous are not."""
    assert refusal(printed, OUTSIDE) == ""


@pytest.mark.parametrize(
    ("printed", "why"),
    [
        ("SELECT file('x')", "file()"),
        ("SELECT *\nFROM remote('x', t)", "remote()"),
        ("SELECT *\nFROM URL('x')", "url()"),
        ("SELECT aiGenerate('x')", "aigenerate()"),
        ("SELECT 1\nINTO OUTFILE 'x'", "INTO OUTFILE"),
        ("SELECT 1\nFORMAT CSV", "FORMAT"),
        ("KILL QUERY WHERE 1 ASYNC", "only SELECT"),
        ("SET a = 1", "only SELECT"),
    ],
)
def test_what_reaches_outside_is_named(printed: str, why: str) -> None:
    """The reader learns what it was."""
    assert why in refusal(printed, OUTSIDE)
