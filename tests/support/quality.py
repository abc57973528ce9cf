"""How often the answer is not the truth, and which rule says so; it must not know how either was worked out.

    python -m tests.support.quality --seed 7

prints, for every scenario, what the stitcher made of it against who really did it, and a reason for each action that
is not where a witness would have put it. Reasons are worked out action by action from the facts of its device.
"""

import argparse
from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence

import msgspec

from pipeline.identity.ids import user_person
from pipeline.identity.policy import Policy
from pipeline.model import Hit, HitHead
from pipeline.times import iso
from tests.identity.incremental import Batch, shown
from tests.support.oracle import Answer, Facts, RowKey, facts_of, ms
from tests.support.reasons import NAMED, NO_DEVICE, WHY, reason
from tests.support.scenarios import SCENARIOS, Told, hits, scenario

POLICY = Policy()
RECORD_HITS = 20
CLOCK, UNEXPLAINED = "clock", "unexplained"
WORDS = {
    **WHY,
    CLOCK: "the device's clock was wrong, its tracker does not tell, and with the true times it would be right",
    UNEXPLAINED: "NO RULE SAYS SO",
}
ATTRIBUTIONS = ("identified", "carried", "backfilled", "anonymous")


class Quality(msgspec.Struct):
    """One scenario. `others`: actions given to an account that is not their human's, by reason. `unclaimed`: actions
    of a human who did sign in on that device, given to nobody, by reason. `shared`: persons with two user IDs."""

    actions: int = 0
    attributions: Counter[str] = msgspec.field(default_factory=Counter)
    others: Counter[str] = msgspec.field(default_factory=Counter)
    unclaimed: Counter[str] = msgspec.field(default_factory=Counter)
    shared: int = 0


class _World(msgspec.Struct):
    """Everything there is to know: the truth and the hit of each action, and the facts of each device, as told and as
    they were by the true clock."""

    rows: dict[RowKey, tuple[Told, Hit]]
    facts: dict[str, Facts]
    true_facts: dict[str, Facts]
    signed_in: set[tuple[str, str]]  # (place, human)


def quality(name: str, seed: int) -> Quality:
    """Stitch one scenario as it arrives and compare."""
    told = scenario(name, seed)
    made = hits(told)
    answers = shown(_records(made, told), POLICY)
    known = _world(told, made)
    users = {user_person(hit.workspace, hit.user_id): hit.user_id for hit in made if hit.user_id}
    found = Quality(actions=len(answers))
    members: defaultdict[str, set[str]] = defaultdict(set)
    for key, (person, attribution) in answers.items():
        found.attributions[attribution] += 1
        truth, hit = known.rows[key]
        if hit.user_id:
            members[person].add(hit.user_id)
        members[person] |= {users[person]} if person in users else set()
        given = users.get(person, "")
        if given and given != truth.account:
            found.others[_why(known, truth, hit, (person, attribution))] += 1
        elif not given and (truth.place, truth.human) in known.signed_in:
            found.unclaimed[_why(known, truth, hit, (person, attribution))] += 1
    found.shared = sum(len(ids) > 1 for ids in members.values())
    return found


def _records(made: Sequence[Hit], told: Sequence[Told]) -> Iterator[Batch]:
    heads = [_head(hit, hit.ts) for hit in made]
    for start in range(0, len(heads), RECORD_HITS):
        end = min(start + RECORD_HITS, len(heads))
        yield told[end - 1].arrived_at, heads[start:end]


def _head(hit: Hit, ts: str) -> HitHead:
    ids = (hit.device, hit.anonymous_id, hit.user_id, hit.holds, hit.logout)
    return HitHead(hit.workspace, hit.event_id, ts, *ids)


def _world(told: Sequence[Told], made: Sequence[Hit]) -> _World:
    seen: defaultdict[str, list[HitHead]] = defaultdict(list)
    truly: defaultdict[str, list[HitHead]] = defaultdict(list)
    known = _World({}, {}, {}, set())
    for truth, hit in zip(told, made, strict=True):
        known.rows[hit.workspace, hit.device, hit.event_id] = truth, hit
        seen[hit.anonymous_id].append(_head(hit, hit.ts))
        truly[hit.anonymous_id].append(_head(hit, iso(truth.done_at)))
        if hit.user_id and hit.user_id == truth.account:
            known.signed_in.add((truth.place, truth.human))
    known.facts = {device: facts_of(heads, POLICY) for device, heads in seen.items()}
    known.true_facts = {device: facts_of(heads, POLICY) for device, heads in truly.items()}
    return known


def _why(known: _World, truth: Told, hit: Hit, answer: Answer) -> str:
    """The rule that gives this action to whom it was given, or that nobody's rule does."""
    if hit.user_id:
        return NAMED if answer[1] == "identified" else UNEXPLAINED
    if not hit.anonymous_id:
        return NO_DEVICE if answer[1] == "anonymous" else UNEXPLAINED
    (user, attribution), why = reason(ms(hit.ts), known.facts[hit.anonymous_id], POLICY)
    if attribution != answer[1] or (user and user_person(hit.workspace, user) != answer[0]):
        return UNEXPLAINED
    (true_user, _), _ = reason(truth.done_at, known.true_facts[hit.anonymous_id], POLICY)
    return CLOCK if true_user == truth.account != user else why


def table(seed: int) -> str:
    """Markdown: what happens in every scenario, its figures, and every reason with its count."""
    found = {name: quality(name, seed) for name in SCENARIOS}
    stories = [_row(name, " ".join((made.__doc__ or "").split())) for name, made in SCENARIOS.items()]
    heads = ("scenario", "actions", *ATTRIBUTIONS, "to another account", "unclaimed", "two user IDs in one person")
    lines = [_row("scenario", "what happens"), _row("---", "---"), *stories, ""]
    lines += [_row(*heads), _row(*("---" for _ in heads))]
    for name, one in found.items():
        shares = (one.attributions[attribution] for attribution in ATTRIBUTIONS)
        lines.append(_row(name, one.actions, *shares, one.others.total(), one.unclaimed.total(), one.shared))
    lines += ["", _row("scenario", "what", "actions", "because"), _row(*["---"] * 4)]
    for name, one in found.items():
        for what, reasons in (("to another account", one.others), ("unclaimed", one.unclaimed)):
            lines += [_row(name, what, count, WORDS[why]) for why, count in sorted(reasons.items(), key=_most)]
    return "\n".join(lines)


def _most(counted: tuple[str, int]) -> tuple[int, str]:
    return -counted[1], counted[0]


def _row(*cells: object) -> str:
    return f"| {' | '.join(map(str, cells))} |"


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(prog="python -m tests.support.quality", description=__doc__.split("\n")[0])
    parser.add_argument("--seed", type=int, default=7)
    print(table(parser.parse_args().seed))


if __name__ == "__main__":
    main()
