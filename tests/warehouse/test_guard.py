"""The judge of readers' SQL, on texts as formatQuery prints them."""

import pytest

from pipeline.warehouse.guard import REMEMBERED_CHARS_MAX, REMEMBERED_MAX, Verdicts, refusal

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


def test_a_text_is_judged_once() -> None:
    """Refused or not, and each on its own; one that could not be judged is judged again."""
    verdicts, judged = Verdicts(), []

    def judge(why: str) -> str:
        judged.append(why)
        return why

    for _ in range(2):
        assert verdicts.of("SELECT 1", lambda: judge("")) == ""
        assert verdicts.of("SELECT file('x')", lambda: judge("file()")) == "file()"
    assert judged == ["", "file()"]
    with pytest.raises(ZeroDivisionError):
        verdicts.of("SELECT 2", lambda: str(1 // 0))
    assert verdicts.of("SELECT 2", lambda: judge("no")) == "no"


def test_what_is_remembered_is_bounded() -> None:
    """The oldest texts go, and one that is too long never stays."""
    verdicts, judged = Verdicts(), []

    def ask(sql: str) -> None:
        verdicts.of(sql, lambda: judged.append(sql) or "")  # type: ignore[func-returns-value]

    long = "x" * (REMEMBERED_CHARS_MAX + 1)
    for sql in (*map(str, range(REMEMBERED_MAX)), "0", "one more", "0", "1", long, long):
        ask(sql)

    assert judged == [*map(str, range(REMEMBERED_MAX)), "one more", "1", long, long]
