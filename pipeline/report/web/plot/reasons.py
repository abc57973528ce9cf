"""Why an action has its person, as a ladder of four questions; it must not know how that was worked out or HTML."""

import re

from msgspec import Struct

from pipeline.audit.explanation import Explanation
from pipeline.limits import DAY_MS
from pipeline.report.web.moments import Clock, count, length
from pipeline.times import ms_of

QUESTIONS = (
    "Does the hit name its user?",
    "Was somebody signed in at that moment?",
    "Does an earlier sign-in still stand?",
    "Does the next sign-in explain it?",
)
_NO = (
    "No. It carries only the device’s anonymous ID.",
    "No sign-in on this device spans that moment.",
    "There is none that still stood then.",
    "None does.",
)
_DECIDES = {
    **dict.fromkeys(("sent", "no_ids"), 0),
    **dict.fromkeys(("present", "together", "overlapped", "contested"), 1),
    **dict.fromkeys(("before", "contested_before"), 2),
}  # every other rule is about what comes after
_VERDICTS = {
    "sent": "The hit itself names {user}.",
    "present": "{user} was signed in on this device at that moment, and nobody else.",
    "before": "The hit named nobody. {user} had signed in on this device {gap} before, and had not signed out.",
    "after": "The hit named nobody. {user} signed in on this device {gap} later, and nobody else did in between.",
}
_CHANGES = {
    "sent": "Only the user ID that was sent, or a statement that two user IDs are one person.",
    "present": "A sign-in of somebody else around the same time: then it would be nobody’s.",
    "before": "A sign-out, or a sign-in of somebody else, that arrives late and lies in between.",
    "after": "A sign-in of somebody else, or a sign-out, that arrives late and lies in between.",
    "never": "A sign-in on this device by {limit}: then these pages become theirs.",
    "signed_out": "A sign-in on this device by {limit}, and nobody else’s before it.",
    "not_held": "The next sign-in on this device by {limit}, if it is of the same user.",
    "expired": "A sign-in on this device by {limit}.",
    "too_far": "A longer limit than {days}: `seamline audit --policy` tells what that would change.",
    "between": "Nothing but a sign-in that arrives late and lies in between. Seamline does not guess.",
    "crowded": "Fewer users on this device. Seamline does not guess on a shared one.",
    "no_ids": "Nothing: it cannot be told from whom it came.",
}
_YES = {
    "sent": "Yes: {user}.",
    "present": "Yes: {user}, and nobody else was.",
    "before": "Yes: {user}, {when}, {gap} before (limit {days}). It holds until a sign-out, and none came.",
    "after": "Yes: {user}, {when}, {gap} later (limit {days}). No sign-out and no other user in between.",
}
_INSTANT = re.compile(r"(\d{4}-\d\d-\d\d) (\d\d:\d\d:\d\d\.\d{3})")
_CONTESTED = "Nothing that is still to come. Two people used this device, and Seamline does not guess."


class Rung(Struct, frozen=True):
    """One question. `state`: no, decides, or unasked."""

    question: str
    state: str
    said: str


class Reason(Struct, frozen=True):
    """What the panel shows. `gap`: between the action and the sign-in that decided; `forward`: it came before."""

    attribution: str
    verdict: str
    rungs: tuple[Rung, ...]
    changes: str
    proof: tuple[tuple[str, str], ...]
    login_ms: int | None
    gap: str
    forward: bool
    event_id: str
    device: str
    ts_ms: int
    agrees: bool


def reason_of(found: Explanation, clock: Clock) -> Reason:
    """The ladder down to the rule that decided, and what proves it."""
    answer, ts = found.answer, ms_of(found.ts)
    login_ms = ms_of(found.login.ts) if found.login else None
    gap = length(abs(ts - login_ms)) if login_ms is not None else ""
    days = f"{found.policy['lookback_ms'] / DAY_MS:g} days"
    words = {"user": answer.user_id, "gap": gap, "days": days, "limit": clock.day(ts + found.policy["lookback_ms"])}
    words["when"] = clock.day_time(login_ms) if login_ms is not None else ""
    verdict = _VERDICTS.get(answer.rule, "")
    because = _YES[answer.rule].format(**words) if answer.rule in _YES else _sentence(answer.because, clock)
    return Reason(
        attribution=answer.attribution,
        verdict=verdict.format(**words) if verdict else because,
        rungs=tuple(_rungs(answer.rule, because)),
        changes=_CHANGES.get(answer.rule, _CONTESTED).format(**words),
        proof=tuple(_proof(found, clock, days)),
        login_ms=login_ms,
        gap=gap if gap not in ("", "0 s") else "",
        forward=login_ms is not None and login_ms < ts,
        event_id=found.event_id,
        device=found.device,
        ts_ms=ts,
        agrees=found.agrees,
    )


def _rungs(rule: str, because: str) -> list[Rung]:
    decides = _DECIDES.get(rule, 3)
    rungs = []
    for at, question in enumerate(QUESTIONS):
        if at < decides:
            rungs.append(Rung(question, "no", _NO[at]))
        elif at == decides:
            rungs.append(Rung(question, "decides", because))
        else:
            rungs.append(Rung(question, "unasked", "Not asked."))
    return rungs


def _proof(found: Explanation, clock: Clock, days: str) -> list[tuple[str, str]]:
    rows = [("Arrived", clock.day_time(ms_of(found.received_at)))]
    if found.login is not None:
        holds = "holds until a sign-out" if found.login.holds else "does not hold"
        rows.append(("Sign-in", f"{clock.day_time(ms_of(found.login.ts))}, by {found.login.protocol}; {holds}"))
    for decision in found.history[-3:]:
        whose = decision.user_id or "nobody"
        rows.append(("Decided", f"{clock.day_time(ms_of(decision.decided_at))}: {whose}, {decision.attribution}"))
    then = found.on_arrival
    if then != found.answer:
        rows.append(("On arrival", f"{then.user_id or 'nobody'}, {then.attribution}"))
    users = found.aliases.users
    if found.aliases.refused:
        rows.append(("Alias", "refused: it would join too many user IDs"))
    elif len(users) > 1:
        rows.append(("Alias", f"{count(len(users), 'user ID')} are one person"))
    rows.append(("Limit", f"{days}; more than {found.policy['users_per_device_max']} users make a device shared"))
    return rows


def _sentence(text: str, clock: Clock) -> str:
    """Instants in the viewer's zone; none of these begins with somebody's ID, which is never changed."""
    shown = _INSTANT.sub(lambda at: clock.day_time(ms_of(f"{at[1]}T{at[2]}Z")), text)
    return f"{shown[:1].upper()}{shown[1:]}."
