"""Matomo's bulk: which body is one, the reply its clients read, and each entry on its own."""

from typing import Any

import orjson
import pytest

from pipeline.limits import BULK_HITS_MAX
from pipeline.protocols.request import Outcome
from tests.protocols.build import TOKEN, answer, counted, request


def bulk(entries: Any, query: str = "", **more: Any) -> Outcome:
    """A bulk POST; `more` goes beside `requests`."""
    body = entries if isinstance(entries, bytes) else orjson.dumps({"requests": entries} | more)
    return answer(request("POST", "/matomo.php", query, body))


def told(outcome: Outcome) -> Any:
    """The reply's JSON."""
    assert (b"content-type", b"application/json") in outcome.reply.headers
    return orjson.loads(outcome.reply.body)


def test_every_form_of_entry_is_a_hit() -> None:
    """A query string, a whole URL, an object; numbers and booleans in objects as PHP reads them."""
    outcome = bulk(
        [
            "?idsite=1&rec=1&rand=1&uid=a",
            "https://matomo.example/matomo.php?idsite=1&rec=1&rand=2&uid=b#x",
            {"idsite": 1, "rec": True, "rand": 3, "uid": "c", "e_v": 1.5, "gone": None},
        ]
    )

    assert (200, {"status": "success", "tracked": 3, "invalid": 0}) == (outcome.reply.status, told(outcome))
    assert ["a", "b", "c"] == [hit.user_id for hit in outcome.hits]
    assert outcome.hits[2].properties == {"e_v": "1.5"}


def test_a_bad_entry_is_invalid_and_the_rest_go_on() -> None:
    """Excluded ones count as tracked; text without a query is neither, but counted by us."""
    outcome = bulk(
        ["?idsite=9&rec=1", "?idsite=1&rec=1", "no query", "?idsite=1&rec=0", "?idsite=1&rec=1&cid=x", 7, None]
    )

    assert {"status": "success", "tracked": 2, "invalid": 2} == told(outcome)
    assert [
        ("rejected", "idsite"),
        ("rejected", "requests"),
        ("refused", "rec"),
        ("rejected", "cid"),
        ("rejected", "requests"),
        ("rejected", "requests"),
    ] == counted(outcome)


@pytest.mark.parametrize(
    ("query", "more", "indices"),
    [
        ("", {}, None),
        ("", {"token_auth": TOKEN}, [1]),
        (f"token_auth={TOKEN}", {}, [1]),
        (f"token_auth={TOKEN}", {"token_auth": "w" * 32}, [1]),
        ("token_auth=" + "w" * 32, {"token_auth": TOKEN}, None),
    ],
)
def test_only_the_token_is_told_which_entries_were_invalid(query: str, more: Any, indices: list[int] | None) -> None:
    """The one in the URL wins over the one in the body."""
    outcome = bulk(["?idsite=1&rec=1", "?idsite=9&rec=1"], query, **more)

    assert indices == told(outcome).get("invalid_indices")


def test_the_token_of_a_bulk_is_every_entrys() -> None:
    """Old hits of a log import; an entry's own token goes first."""
    old = "?idsite=1&rec=1&cdt=2024-06-01+12:00:00"

    assert {"status": "success", "tracked": 0, "invalid": 1} == told(bulk([old]))
    assert ["2024-06-01T12:00:00.000Z"] == [hit.ts for hit in bulk([old], token_auth=TOKEN).hits]
    assert ["2024-06-01T12:00:00.000Z"] == [hit.ts for hit in bulk([f"{old}&token_auth={TOKEN}"]).hits]
    assert [] == list(bulk([f"{old}&token_auth={'w' * 32}"], token_auth=TOKEN).hits)


@pytest.mark.parametrize(("value", "status"), [(0, 204), ("0", 204), (False, 204), (None, 204), (1, 200), ("1", 200)])
def test_send_image_silences_a_bulk(value: Any, status: int) -> None:
    """As matomo.js asks for its queue."""
    outcome = bulk(["?idsite=1&rec=1"], send_image=value)

    assert (status, 1) == (outcome.reply.status, len(outcome.hits))
    assert (outcome.reply.body == b"") == (status == 204)


@pytest.mark.parametrize(
    "body", [b'{"requests": [', b'{"requests": 7}', b'{ "requests": {"a": 1}}', b'[1, "requests"]']
)
def test_malformed_bulks_are_successes_that_tracked_nothing(body: bytes) -> None:
    """That is what the clients expect; we count them."""
    outcome = bulk(body)

    assert (200, {"status": "success", "tracked": 0, "invalid": 0}) == (outcome.reply.status, told(outcome))
    assert [("rejected", "body")] == counted(outcome)


def test_an_empty_bulk_is_a_success() -> None:
    """Nothing to do."""
    assert {"status": "success", "tracked": 0, "invalid": 0} == told(bulk([]))


def test_a_bulk_is_bounded() -> None:
    """500 entries are taken, one more is refused whole and counted."""
    entry = "?idsite=1&rec=1"

    assert told(bulk([entry] * BULK_HITS_MAX))["tracked"] == BULK_HITS_MAX
    refused = bulk([entry] * (BULK_HITS_MAX + 1))
    assert (413, {"status": "error", "tracked": 0, "invalid": 0}) == (refused.reply.status, told(refused))
    assert [("rejected", "body")] == counted(refused)


def test_an_entry_is_bounded_like_an_event() -> None:
    """64 KiB; its neighbours are taken."""
    entries = ["?idsite=1&rec=1&x=".ljust(size, "y") for size in (65_536, 65_537, 30)]

    assert {"status": "success", "tracked": 2, "invalid": 1} == told(bulk(entries))


@pytest.mark.parametrize(
    "body", [b'{"requests":["?idsite=1&rec=1"]}', b'\n{ \'x\': 0, "requests" : ["?idsite=1&rec=1"]}']
)
def test_a_bulk_is_known_by_its_body(body: bytes) -> None:
    """The word in quotes, not at the very start, whatever the Content-Type; sound JSON is another matter."""
    outcome = answer(
        request("POST", "/piwik.php", body=body, headers={"content-type": "application/x-www-form-urlencoded"})
    )

    assert (b"content-type", b"application/json") in outcome.reply.headers


def test_a_retried_bulk_is_the_same_hits() -> None:
    """Equal entries without a cache-buster are as many hits as were sent; with one they are one."""
    dated = "?idsite=1&rec=1&cdt=1763799000&url=https://x/"
    first, again = (bulk([dated, dated, f"{dated}&rand=5", f"{dated}&rand=5"]) for _ in range(2))

    ids = [hit.event_id for hit in first.hits]
    assert ids == [hit.event_id for hit in again.hits]
    assert len(set(ids)) == 3
    assert ids[2] == ids[3]
