"""What an audit found, as text for people; it must not know where it comes from.

Texts from trackers are shown with control characters replaced: an event ID must not be able to move a cursor.
"""

from collections.abc import Iterator, Sequence

from pipeline.audit.check import Checked, Difference
from pipeline.audit.effect import Effect
from pipeline.audit.explanation import Aliases, Explanation
from pipeline.audit.reasons import moment
from pipeline.limits import DAY_MS
from pipeline.terminal import printable


def checked(found: Checked) -> Iterator[str]:
    """The sum, and examples of what differs."""
    yield f"{_count(found.rows, 'row')} checked, {_count(found.differing, 'difference')}"
    yield from _examples(found.examples, found.differing)
    if found.late:
        yield f"{_count(found.late, 'row')} came too late to be sure of, {found.late_differing} of them different"
        yield from _examples(found.late_examples, found.late_differing)


def _examples(examples: Sequence[Difference], count: int) -> Iterator[str]:
    for row in examples:
        yield printable(
            f"  {row.workspace}  {row.device}  {row.event_id}  {moment(row.ts)}  "
            f"is {row.stored_attribution} {row.stored_person_id}, should be {row.attribution} {row.person_id}"
        )
    if count > len(examples):
        yield f"  and {count - len(examples):,} more"


def effect(found: Effect) -> Iterator[str]:
    """What would change, by kind, and what that means for persons."""
    yield (
        f"{found.changed:,} of {_count(found.rows, 'row')} would change, {found.moved:,} of them to another person, "
        f"on {_count(found.devices, 'device')}"
    )
    for change in found.changes:
        yield f"  {change.before:>10} → {change.after:<10}  {change.rows:,}"
    yield f"persons: {found.persons_before:,} now, {found.persons_after:,} then"


def explanation(found: Explanation) -> Iterator[str]:
    """One action: what it is, whose, why, and what it was before."""
    yield printable(f"{found.event_id}  (workspace {found.workspace}, device {found.device})")
    for name, text in _facts(found):
        yield f"  {name:<10}  {printable(text)}"


def _facts(found: Explanation) -> Iterator[tuple[str, str]]:
    what = f"{found.type} {found.name}".strip()
    arrived = f"arrived {moment(found.received_at)}"
    yield "action", f"{moment(found.ts)}  {what}, by {found.protocol} on {found.site_id}, {arrived}"
    user = f"  {found.answer.user_id}" if found.agrees and found.answer.user_id else ""
    yield "person", f"{found.person_id}  {found.attribution}{user}"
    if found.agrees:
        yield "because", found.answer.because
    else:
        late = ", and it came too late to be sure of" if found.late else ""
        yield "but", f"the facts say {found.answer.attribution} {found.answer.person_id}{late}: {found.answer.because}"
    if found.login is not None:
        login = found.login
        holds = "holds" if login.holds else "does not hold"
        yield "login", f"{login.event_id}  {moment(login.ts)}  by {login.protocol} on {login.site_id}, {holds}"
    yield "policy", _policy(found)
    yield from _aliases(found.aliases)
    then = found.on_arrival
    same = then == found.answer
    yield "on arrival", "the same" if same else f"{then.attribution} {then.person_id}: {then.because}"
    for decision in found.history:
        whose = f"{decision.attribution} {decision.user_id}".strip()
        yield "decided", f"{moment(decision.decided_at)}  {whose}, because of {decision.event_id}"


def _policy(found: Explanation) -> str:
    lookback = f"lookback {found.policy['lookback_ms'] / DAY_MS:g} days"
    limits = (f"{name} {found.policy[name]}" for name in found.policy if name.endswith("_max"))
    return f"{found.policy_version}: {', '.join((lookback, *limits))}"


def _aliases(aliases: Aliases) -> Iterator[tuple[str, str]]:
    if aliases.refused:
        yield "aliases", "refused: they would join more users than one person can have"
    elif len(aliases.users) > 1:
        yield "aliases", f"one person: {', '.join(aliases.users)}"
    for said in aliases.statements:
        verb = "is no longer" if said.withdrawn else "is"
        who = "an operator" if said.authority == "operator" else f"a {said.authority} key"
        yield "", f"{moment(said.ts)}  {said.previous_id} {verb} {said.user_id}, by {who} ({said.event_id})"


def _count(number: int, noun: str) -> str:
    return f"{number:,} {noun}{'' if number == 1 else 's'}"
