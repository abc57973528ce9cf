"""Whatever somebody writes, the SQL of a segment is made of the compiler's own words and nothing else."""

import re

from hypothesis import example, given, settings
from hypothesis import strategies as st

from pipeline.report.parameters import Problem
from pipeline.report.reports import question
from pipeline.report.segments.compile import compiled, compiled_step
from pipeline.report.segments.condition import Condition
from pipeline.report.segments.fields import FIELDS, KEYED
from tests.report.reported_world import PLAIN
from tests.report.test_reports_equal import COMMON, Known, answered

# Written down by hand, not taken from the code: a word that is new has to be looked at.
WORDS = frozenset(
    re.findall(
        r"\w+",
        """
        SELECT FROM WHERE AND OR NOT IN GROUP BY HAVING actions person_id workspace day ts device event_id traits
        traits_once properties bot true false since until bots String Bool UTC Int64 Float64 Array DateTime64 countIf
        uniqExactIf min max argMaxIf argMinIf groupArrayIf arraySort arrayCount arrayEnumerate arrayMap one n text if
        multiIf ifNull least toDate toIntervalMillisecond toUnixTimestamp64Milli toFloat64 toFloat64OrNull lowerUTF8
        positionCaseInsensitiveUTF8 device_key startsWith has path JSONType JSONHas JSONExtractString JSONExtractRaw
        attribution device_type browser os country language site_id type name url title referrer user_id currency
        campaign_source campaign_medium campaign_name campaign_term campaign_content revenue
        """,
    )
)
TEXTS = frozenset({"'UTC'", "'String'", "'Null'", "''", "'anonymous'", "'{}'"})
SIGNS = set("(){}:,.=<>+-*[]! ")
HOSTILE = [
    "') OR 1=1 --", "\\') UNION ALL SELECT * FROM system.tables --", "{workspace:String}", "{g0:String}", "$segment",
    "$theirs", "file('/etc/passwd')", "url('http://127.0.0.1/')", "remote('127.0.0.1')", "/* */", "\\'", "`", "\u2028",
    "NULL", "${x}", "a' AND sleep(3) AND 'a", "\"'", "%s", "\x00x", "{{}}", "１=１",
]  # fmt: skip
quoted = st.one_of(st.sampled_from(HOSTILE), st.text(max_size=20)).map(
    lambda text: '"' + text.replace("\\", "\\\\").replace('"', '\\"') + '"'
)
number = st.integers(-5, 10_000).map(str)
field = st.sampled_from([name for name in FIELDS if name not in KEYED])
keyed = st.builds(lambda name, key: f"{name}.{key}", st.sampled_from(KEYED), quoted)
sign = st.sampled_from(["=", "!=", "<", "<=", ">", ">=", "contains", "starts with"])
value = st.one_of(quoted, number, st.sampled_from(["7d", "2026-01-01", "true"]))
simple = st.builds(lambda *parts: " ".join(parts), st.one_of(field, keyed), sign, value)
values = st.lists(quoted, min_size=1, max_size=3)
listed = st.builds(lambda name, texts: f"{name} in ({', '.join(texts)})", st.one_of(field, keyed), values)
did = st.builds(lambda name, inner, count: f"did({name}, {inner}, count >= {count}) within 9d", quoted, simple, number)
segment = st.recursive(
    st.one_of(simple, listed, did),
    lambda inner: st.one_of(
        st.builds(lambda one, word, other: f"({one}) {word} {other}", inner, st.sampled_from(["and", "or"]), inner),
        inner.map(lambda one: f"not ({one})"),
    ),
    max_leaves=5,
)


def skeleton(found: Condition) -> str:
    """The SQL; every parameter that it names is there, and the other way round."""
    named = set(re.findall(r"\{([gs][0-9_]+):", found.sql))
    assert named == set(found.parameters)
    for text in re.findall(r"'[^']*'", found.sql):
        assert text in TEXTS, text
    bare = re.sub(r"'[^']*'|\{[gs][0-9_]+:|\b[0-9]+\b", " ", found.sql)
    assert set(re.findall(r"[A-Za-z_][A-Za-z_0-9]*", bare)) <= WORDS
    assert set(re.sub(r"[A-Za-z_][A-Za-z_0-9]*", "", bare)) <= SIGNS
    return found.sql


@settings(max_examples=300, deadline=None)
@given(st.one_of(segment, st.text(max_size=60), st.sampled_from(HOSTILE)))
@example('device = "x\') OR 1=1 --"')
@example("devices = 0")
@example("visits > 1")
@example("trait.a'b = c")
@example("property.{g0:String} > 3")
def test_no_text_makes_other_sql(text: str) -> None:
    """It is a fault, or the compiler's own words; as a step of a funnel too."""
    for found in (compiled(text), compiled_step(text, 3)):
        if isinstance(found, Condition):
            skeleton(found)
        else:
            assert 0 <= found.at <= len(text)
            assert found.message


@settings(max_examples=150, deadline=None)
@given(st.one_of(field, keyed), sign, st.lists(st.one_of(quoted, number), min_size=2, max_size=2))
def test_a_value_changes_parameters_only(name: str, how: str, values: list[str]) -> None:
    """Two texts for the same field and sign make the same SQL, unless one of them is none."""
    found = [compiled(f"{name} {how} {value}") for value in values]
    if all(isinstance(one, Condition) for one in found):
        first, second = (skeleton(one) for one in found if isinstance(one, Condition))
        assert first == second


@settings(max_examples=100, deadline=None)
@given(segment)
def test_what_was_written_stands_in_parameters(text: str) -> None:
    """A canary in every text and key is nowhere in the SQL."""
    marked = re.sub(r'"((?:[^"\\]|\\.)*)"', r'"zqcanary\1"', text)
    found = compiled(marked)
    if isinstance(found, Condition):
        assert "zqcanary" not in found.sql
        asked = question("overview", {**COMMON, "workspace": "zqcanary"}, found)
        assert not isinstance(asked, Problem)
        assert "zqcanary" not in asked.sql


def test_hostile_texts_are_only_texts(reported: Known) -> None:
    """The engine is asked with them, and finds nobody who is called like that."""
    ask, _ = reported
    escaped = ['"' + text.replace("\\", "\\\\").replace('"', '\\"') + '"' for text in HOSTILE]
    assert answered(ask, "audience", {"workspace": PLAIN}, f"name in ({', '.join(escaped)})") == []
    for start in range(0, len(escaped), 7):
        asked = " or ".join(f"did({one}) or trait.{one} = {one}" for one in escaped[start : start + 7])
        assert answered(ask, "audience", {"workspace": PLAIN}, asked) == []


def test_hostile_parameters_are_only_texts(reported: Known) -> None:
    """In a search, a goal, a workspace."""
    ask, _ = reported
    for text in HOSTILE:
        for name, values in (("users", {"search": text}), ("goals", {})):
            asked = question(name, {**COMMON, "workspace": PLAIN if values else text, **values})
            if isinstance(asked, Problem):
                assert "\0" in text
            else:
                assert ask(asked.sql, asked.parameters)[1] == []
