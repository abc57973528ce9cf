"""Why an action has the person it has, put together from the warehouse; it must not know how that is printed."""

from collections.abc import Iterator
from typing import Any

from msgspec import Struct

from pipeline.audit.attributions import parameters
from pipeline.audit.pages import Page
from pipeline.audit.policy import AuditPolicy
from pipeline.audit.reasons import FACTS, reason
from pipeline.questions import Questions
from pipeline.warehouse.texts import sql_text


class Login(Struct, frozen=True):
    """The login that decided. `holds`: until a sign-out."""

    event_id: str
    ts: str
    device: str
    user_id: str
    site_id: str
    protocol: str
    holds: bool


class Decision(Struct, frozen=True):
    """What was once decided of the device at that instant, and which hit was the cause."""

    decided_at: str
    person_id: str
    user_id: str
    attribution: str
    event_id: str
    late: bool


class Statement(Struct, frozen=True):
    """Somebody said that two users are one person, or withdrew it."""

    ts: str
    user_id: str
    previous_id: str
    withdrawn: bool
    authority: str
    site_id: str
    event_id: str


class Aliases(Struct, frozen=True):
    """`users`: all who are this person. `refused`: so many would be joined that none is."""

    users: tuple[str, ...] = ()
    refused: bool = False
    statements: tuple[Statement, ...] = ()


class Answer(Struct, frozen=True):
    """What the rules make of an action with what was known at some time."""

    person_id: str
    attribution: str
    user_id: str
    rule: str
    because: str


class Explanation(Struct, frozen=True):
    """One action. `person_id` is what reports show, `stitched_person_id` who it was before aliases.

    `agrees`: the row says what the facts say. `on_arrival`: by the facts that had arrived when it did.
    """

    workspace: str
    device: str
    event_id: str
    ts: str
    received_at: str
    site_id: str
    type: str
    name: str
    protocol: str
    person_id: str
    stitched_person_id: str
    attribution: str
    late: bool
    agrees: bool
    answer: Answer
    login: Login | None
    policy_version: str
    policy: dict[str, Any]
    aliases: Aliases
    on_arrival: Answer
    history: tuple[Decision, ...]


def explain(ask: Questions, policy: AuditPolicy, event_id: str, workspace: str = "") -> Iterator[Explanation]:
    """Every action with this event ID, of one workspace or of all."""
    for name, device in ask(sql_text("audit/events"), {"event_id": event_id, "workspace": workspace})[1]:
        place = {"workspace": name, "device": device, "event_id": event_id}
        shown = {row[0]: row[1:] for row in ask(sql_text("audit/shown"), place)[1]}
        for row in _judged(ask, policy, place):
            if row["day"] in shown:
                yield _explained(ask, policy, place, row, shown[row["day"]])


def _explained(
    ask: Questions, policy: AuditPolicy, place: dict[str, str], row: dict[str, Any], shown: list[Any]
) -> Explanation:
    site_id, kind, name, protocol, person_id, stitched, attribution, late = shown
    answer = _answer(row, policy)
    then = [r for r in _judged(ask, policy, place, row["received_at"]) if r["day"] == row["day"]]
    at = {**place, "at": row["ts"]}
    return Explanation(
        workspace=place["workspace"],
        device=place["device"],
        event_id=place["event_id"],
        ts=row["ts"],
        received_at=row["received_at"],
        site_id=site_id,
        type=kind,
        name=name,
        protocol=protocol,
        person_id=person_id,
        stitched_person_id=stitched,
        attribution=attribution,
        late=late,
        agrees=(stitched, attribution) == (answer.person_id, answer.attribution),
        answer=answer,
        login=_login(ask, place, answer.user_id, row["login_at"] or row["ts"]) if answer.user_id else None,
        policy_version=policy.version,
        policy=policy.parameters(),
        aliases=_aliases(ask, place["workspace"], answer.user_id),
        on_arrival=_answer(then[0] if then else row, policy),
        history=tuple(Decision(*decision) for decision in ask(sql_text("audit/decisions"), at)[1]),
    )


def _judged(ask: Questions, policy: AuditPolicy, place: dict[str, str], known_by: str = "") -> Iterator[dict[str, Any]]:
    """The rows with this event ID on the device: one for each day it was sent with."""
    page = Page(place["workspace"], place["device"], place["device"])
    names, rows = ask(sql_text("audit/judged"), {**parameters(page, policy, known_by), "event_id": place["event_id"]})
    for row in rows:
        yield {"day": row[0], **dict(zip(names[1:], row[1:], strict=True))}


def _answer(row: dict[str, Any], policy: AuditPolicy) -> Answer:
    because = reason(row["rule"], policy.numbers, {"user": row["belongs_to"], **{name: row[name] for name in FACTS}})
    return Answer(row["person_id"], row["attribution"], row["belongs_to"], row["rule"], because)


def _login(ask: Questions, place: dict[str, str], user_id: str, at: str) -> Login | None:
    """None where the hit named its user itself and has no device: there it is no fact about one."""
    rows = ask(sql_text("audit/login"), {**place, "user_id": user_id, "at": at})[1]
    return Login(*rows[0]) if rows else None


def _aliases(ask: Questions, workspace: str, user_id: str) -> Aliases:
    rows = ask(sql_text("audit/joined"), {"workspace": workspace, "user_id": user_id})[1] if user_id else []
    mine = next((row for row in rows if row[0] == user_id), None)
    if mine is None:
        return Aliases()
    users = tuple(row[0] for row in rows if row[2] == mine[2])
    said = ask(sql_text("audit/statements"), {"workspace": workspace, "users": [row[0] for row in rows]})[1]
    return Aliases(users, bool(mine[3]), tuple(Statement(*statement) for statement in said))
