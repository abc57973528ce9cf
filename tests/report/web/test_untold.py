"""A question that takes too much costs a page that question's part, in its place and in words, and nothing else."""

import asyncio
import re
from collections.abc import Iterator, Mapping
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from starlette.testclient import TestClient

from pipeline.identity.ids import user_person
from pipeline.limits import PAGE_SECONDS_MAX
from pipeline.questions import QuestionRefused, Questions, TookTooMuch, answer, questions
from pipeline.report.web.opening import report_app
from pipeline.report.web.pages.parts import Parts
from pipeline.settings import load_settings
from pipeline.up.query_socket import QuerySocket
from tests.report.web.conftest import Seen, asked_of
from tests.report.web.seeded import MARA, SHOP, sites

# A page, and how many of its first questions are its own: without these there is nothing to show.
PAGES = {
    "overview": 2,
    "persons?sort=conversions": 0,
    "visits": 0,
    "visits?segment=revenue+%3E+0": 0,
    "segments?days=90": 0,
    "devices?days=90": 0,
    "funnel?step1=%2Fbikes&step2=Order": 0,
    "campaigns": 0,
    "identity": 0,
}
WHOLE = ("live.json", "audience.csv?segment=devices+%3E%3D+2", f"persons/{user_person(SHOP, MARA)}")
TOO_MUCH = TookTooMuch("Code: 159. DB::Exception", "TIMEOUT_EXCEEDED")


class Stopped:
    """Answers all questions but one, counted from 0; what was asked before, as before."""

    def __init__(self, ask: Questions) -> None:
        self._ask = ask
        self._known: dict[str, tuple[list[str], list[list[Any]]]] = {}
        self.asked = 0
        self.refuse: int | None = None
        self.error: Exception = TOO_MUCH

    def __call__(self, sql: str, parameters: Mapping[str, Any]) -> tuple[list[str], list[list[Any]]]:
        number, self.asked = self.asked, self.asked + 1
        if number == self.refuse:
            raise self.error
        key = repr((sql, parameters))
        if key not in self._known:
            self._known[key] = self._ask(sql, parameters)
        return self._known[key]


@pytest.fixture
def stopped(seen: Seen) -> Stopped:
    """In front of the seeded world."""
    return Stopped(seen.ask)


@pytest.fixture
def client(stopped: Stopped, tmp_path: Path) -> Iterator[TestClient]:
    """The pages that ask it."""
    app = report_app(load_settings({"SEAMLINE_SITES": str(sites(tmp_path))}), stopped)
    yield TestClient(app, "http://localhost", client=("127.0.0.1", 4711), follow_redirects=False)
    app.close()


def seen_when(client: TestClient, stopped: Stopped, path: str, refuse: int | None) -> tuple[int, str]:
    stopped.asked, stopped.refuse = 0, refuse
    reply = client.get(f"/report/{SHOP}/{path}")
    return reply.status_code, reply.text


def sections(text: str) -> dict[str, str]:
    """Each by the ID of its heading; without the one that a clock changes, and without small curves."""
    text = re.sub('<dd class="trace".*?</dd>', "", text)
    found = re.findall(r'<section[^>]* aria-labelledby="([^"]+)".*?</section>', text, re.DOTALL)
    bodies = re.findall(r'<section[^>]* aria-labelledby=".*?</section>', text, re.DOTALL)
    return {name: body for name, body in zip(found, bodies, strict=True) if name != "now-h"}


@pytest.mark.parametrize("path", PAGES)
def test_each_question_in_turn_costs_its_own_part_alone(client: TestClient, stopped: Stopped, path: str) -> None:
    """The page says what was not shown and shows a shorter period; headings stay, other parts are what they were."""
    status, whole = seen_when(client, stopped, path, None)
    count = stopped.asked
    assert (200, False) == (status, "Not shown" in whole)
    assert count > PAGES[path]
    for number in range(count):
        status, text = seen_when(client, stopped, path, number)
        if number < PAGES[path]:
            assert (503, True) == (status, "<h1>Too much at once</h1>" in text), number
            continue
        assert (200, True) == (status, '<b class="ink">Not shown: ' in text), number
        assert "This took longer than 10 s and was stopped." in text
        before, after = sections(whole), sections(text)
        changed = {name for name in before if before[name] != after.get(name)}
        assert list(before) == list(after)
        assert [name for name in changed if "ot shown" not in after[name]] == []


@pytest.mark.parametrize("path", WHOLE)
def test_files_answers_for_scripts_and_journeys_are_whole_or_refused(
    client: TestClient, stopped: Stopped, path: str
) -> None:
    """Half of it would be taken for all of it."""
    assert 200 == seen_when(client, stopped, path, None)[0]
    for number in range(stopped.asked):
        assert 503 == seen_when(client, stopped, path, number)[0]


@pytest.mark.parametrize("path", ["overview", "devices", "segments"])
def test_a_warehouse_that_went_away_is_the_whole_page(client: TestClient, stopped: Stopped, path: str) -> None:
    """Whichever question noticed it: trying again helps, fewer days do not."""
    stopped.error = QuestionRefused("connection refused: ReadTimeoutError")
    seen_when(client, stopped, path, None)
    for number in (0, stopped.asked - 1):
        status, text = seen_when(client, stopped, path, number)
        assert (503, True) == (status, "ClickHouse does not answer." in text)
        assert "Try fewer days" not in text


def test_numbers_that_are_not_told_are_not_noughts(client: TestClient, stopped: Stopped) -> None:
    """Without the period before nothing is more or less; whoever's name was not told is not called nobody."""
    untold: dict[str, list[str]] = {}
    for path in ("overview?days=7", "visits?segment=signed_in+%3D+true"):
        _, whole = seen_when(client, stopped, path, None)
        assert "Nobody yet" not in "".join(sections(whole).values())
        for number in range(stopped.asked):
            _, text = seen_when(client, stopped, path, number)
            for what in re.findall("Not shown: (.*?)\\.</b>", text):
                untold.setdefault(what, []).append(text)

    empty = [text.count('<dd class="delta"></dd>') for text in untold["what it was in the period before"]]
    assert {1, 4} == set(empty)
    assert "<dt>Visits</dt><dd>–</dd>" in untold["how many visits there were"][0]
    assert "Nobody yet" not in untold["what these persons are called"][0]
    assert "<dt>Dead letters</dt><dd>–</dd>" in untold["which hits could not be taken"][0]


@pytest.mark.parametrize(
    ("days", "path", "link", "words"),
    [
        ("90", {}, "?days=7", "Show 7 days instead"),
        ("7", {}, "?days=1", "Show today instead"),
        ("1", {}, "?days=1", "Try again"),
        ("28", {"person": "p"}, "?days=28", "Try again"),
    ],
)
def test_what_helps_is_less_of_it(days: str, path: dict[str, str], link: str, words: str) -> None:
    """A shorter period, as long as there is one."""
    parts = Parts(asked_of(query={"days": days, "after": "x"} if not path else {"days": days}, path=path))

    assert parts.of("it", _too_much) is None
    why = parts.refused["it"]
    assert why is not None
    assert (link, words) == (why.link.replace("&after=x", ""), why.link_words)


@pytest.mark.parametrize(
    ("code", "said"),
    [
        ("TIMEOUT_EXCEEDED", "longer than 10 s"),
        ("MEMORY_LIMIT_EXCEEDED", "more memory"),
        ("TOO_MANY_ROWS", "more rows"),
    ],
)
def test_what_it_took_is_said(code: str, said: str) -> None:
    """Time, memory and rows are different."""
    parts = Parts(asked_of())
    parts.of("it", partial(_raise, TookTooMuch("", code)))

    why = parts.refused["it"]
    assert why is not None
    assert (code, True) == (why.code, said in why.said)


def test_a_page_that_has_taken_long_does_not_ask_for_the_rest() -> None:
    """Ten questions of ten seconds each would be waited for by nobody."""
    now_s = [0.0]
    parts = Parts(asked_of(), lambda: now_s[0])
    assert "told" == parts.of("first", lambda: "told")
    now_s[0] += PAGE_SECONDS_MAX

    assert parts.of("second", lambda: "told") is None
    why = parts.refused["second"]
    assert why is not None
    assert (None, "NOT_ASKED") == (parts.refused["first"], why.code)


async def test_why_it_was_stopped_comes_from_the_process_that_holds_the_warehouse(seen: Seen, tmp_path: Path) -> None:
    """By the socket of a running `up` too; what is merely wrong is not called too much."""
    server = QuerySocket(tmp_path, partial(answer, seen.warehouse))
    await server.start()
    settings = load_settings({"SEAMLINE_DATA": str(tmp_path)})

    def asks() -> None:
        with questions(settings) as ask:
            with pytest.raises(TookTooMuch) as large:
                ask("SELECT number FROM system.numbers LIMIT 20000", {})
            assert "TOO_MANY_ROWS_OR_BYTES" == large.value.code
            with pytest.raises(QuestionRefused) as wrong:
                ask("SELECT nothing_of_this_name", {})
            assert type(wrong.value) is QuestionRefused

    await asyncio.to_thread(asks)
    await server.stop()


def _too_much() -> None:
    raise TOO_MUCH


def _raise(error: Exception) -> None:
    raise error
