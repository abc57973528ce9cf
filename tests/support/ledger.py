"""What the warehouse shows against what was sent: missing, doubled, given to the wrong person."""

from collections.abc import Iterable, Sequence

import msgspec

from pipeline.identity.policy import Policy
from tests.support.deadline import wait_until
from tests.support.deployment import Deployment
from tests.support.generator import Sent
from tests.support.oracle import oracle

RowKey = tuple[str, str, str]
_PAGES = 16  # an answer holds at most 10,000 rows
_PAGE = (
    "SELECT workspace, device, event_id, toString(person_id), attribution FROM actions "
    "WHERE has({workspaces:Array(String)}, workspace) AND cityHash64(event_id) % {pages:UInt8} = {page:UInt8}"
)
_COUNT = "SELECT count() FROM actions WHERE has({workspaces:Array(String)}, workspace)"


class Differences(msgspec.Struct):
    """Empty lists, all four, mean that the books balance and every person is right. At most a few of each are kept."""

    missing: list[RowKey]
    doubled: list[RowKey]
    never_sent: list[RowKey]
    wrong: list[tuple[RowKey, tuple[str, str], tuple[str, str]]]


NONE = Differences([], [], [], [])


def in_workspaces(hits: Iterable[Sent], name: str) -> list[Sent]:
    """The same world under other workspaces: shop0 becomes crash0, so that suites share a deployment."""
    return [msgspec.structs.replace(sent, workspace=name + sent.workspace[-1]) for sent in hits]


def visible(deployment: Deployment, hits: Sequence[Sent], within_s: float) -> None:
    """Wait until as many actions are visible as distinct hits were sent."""
    names = {"workspaces": sorted({sent.workspace for sent in hits})}
    expected = len({sent.key for sent in hits})
    wait_until(lambda: deployment.query(_COUNT, names)[0][0] >= expected, within_s, f"{expected} visible actions")


def differences(
    deployment: Deployment, hits: Sequence[Sent], within_s: float = 60, policy: Policy | None = None
) -> Differences:
    """Against the oracle, once it stands still: the last of what the deployment says within the time."""
    expected = {
        key: tuple(answer) for key, answer in oracle((sent.head() for sent in hits), policy or Policy()).items()
    }
    visible(deployment, hits, within_s)
    found = NONE

    def settled() -> bool:
        nonlocal found
        found = _compare(expected, _rows(deployment, sorted({sent.workspace for sent in hits})))
        return found == NONE

    try:
        wait_until(settled, within_s)
    except AssertionError:
        return found
    return found


def _rows(deployment: Deployment, workspaces: Sequence[str]) -> list[list[str]]:
    rows = []
    for page in range(_PAGES):
        rows += deployment.query(_PAGE, {"workspaces": list(workspaces), "pages": _PAGES, "page": page})
    return rows


def _compare(expected: dict[RowKey, tuple[str, ...]], rows: Iterable[list[str]]) -> Differences:
    found = Differences([], [], [], [])
    seen: set[RowKey] = set()
    for workspace, device, event_id, person, attribution in rows:
        key = (workspace, device, event_id)
        if key in seen:
            found.doubled.append(key)
        elif key not in expected:
            found.never_sent.append(key)
        elif expected[key] != (person, attribution):
            found.wrong.append((key, (expected[key][0], expected[key][1]), (person, attribution)))
        seen.add(key)
    found.missing = [key for key in expected if key not in seen]
    return Differences(found.missing[:5], found.doubled[:5], found.never_sent[:5], found.wrong[:5])
