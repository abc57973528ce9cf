"""The worked cases as people read them; it must not know how they are worked out.

    python -m tests.support.examples

prints some of `tests/identity/identity-cases.json`, which tests/identity/test_cases.py holds the stitcher and the
oracle to.
"""

import json
from pathlib import Path
from typing import Any

from pipeline.limits import HOUR_MS, MINUTE_MS

CASES = Path(__file__).parents[1] / "identity" / "identity-cases.json"
SHOWN = (
    "pages before a login go to the one who logs in; after the logout they stay anonymous",
    "an identity that holds carries forward until the logout",
    "two devices, one person",
    "shared browser: alice, then bob, no logout sent",
    "shared browser inside one bucket: contested time belongs to nobody",
    "shared browser whose identities hold: alice, reset, bob",
    "a late login splits what was one run",
    "illegal ids are no ids",
    "two logins at the same instant claim nothing",
)


def examples() -> str:
    """Markdown, one block a case, hits in the order in which they were made."""
    cases = {case["name"]: case for case in json.loads(CASES.read_text())["attribution"]}
    return "\n\n".join(_block(cases[name]) for name in SHOWN)


def _block(case: dict[str, Any]) -> str:
    hits = sorted(case["hits"], key=lambda hit: hit["ts"])
    lines = [_line(hit, hits[0]["ts"], case["expected"][hit["event_id"]]) for hit in hits]
    return "\n".join([f"*{case['name']}*", "", *(f"    {line}".rstrip() for line in lines)])


def _line(hit: dict[str, Any], start_ms: int, want: dict[str, str]) -> str:
    passed_ms = hit["ts"] - start_ms
    when = f"{passed_ms // HOUR_MS}:{passed_ms % HOUR_MS // MINUTE_MS:02}"
    whose = want["id"] if want["kind"] == "user" else "nobody"
    return f"{when:>5}  {hit['anonymous_id'] or '':<10}{_said(hit):<46}{whose:<10}{want['attribution']}"


def _said(hit: dict[str, Any]) -> str:
    if hit["reset"]:
        return "signs out"
    return f"names `{hit['user_id']}`{', holds' if hit['holds'] else ''}" if hit["user_id"] else "a page"


if __name__ == "__main__":
    print(examples())
