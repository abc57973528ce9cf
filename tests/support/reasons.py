"""Which rule gave a hit to whom, or to nobody, in words; it must not know who really made it.

The rules once more, beside `tests.support.oracle` and with its facts, but with a name for every way through them.
"""

from tests.support.oracle import NOBODY, Facts, Numbers, Span, Who

NAMED = "named"
PRESENT, BEFORE, FIRST, BETWEEN = "present", "before", "first", "between"
MET, MET_BEFORE, CONTESTED, LEFT, NEVER, LATER, OTHER, TIE, CROWD = (
    *("met", "met before", "contested", "left", "never", "later"),
    *("other", "tie", "crowd"),
)
NO_DEVICE = "no device"

WHY = {
    NAMED: "the hit itself names them: their session on the site was still open",
    PRESENT: "rule 1: between two of their own sign-ins within one half hour",
    BEFORE: "rule 2: they had signed in, their sign-in holds, and nobody signed out",
    FIRST: "rule 3: pages before a sign-in go to who signs in, and nobody had signed in before",
    BETWEEN: "rule 3: between two sign-ins of theirs, and nobody else's",
    MET: "rule 1: two users' sign-ins overlap here, so it is nobody's",
    MET_BEFORE: "rule 2: two users signed in at the very instant before",
    CONTESTED: "rule 1: more users or sign-outs in this half hour than can be told apart",
    LEFT: "rule 3: the next thing known is a sign-out",
    NEVER: "rule 3: nobody signs in after it",
    LATER: "rule 3: who signs in next does so more than a lookback later",
    OTHER: "rule 3: one user signed in before and another after, so it is nobody's",
    TIE: "rule 3: two users sign in at one instant",
    CROWD: "rule 3: a kiosk, more users within a lookback than are told apart",
    NO_DEVICE: "the tracker sent no device ID that is one: there is nothing to follow",
}


def reason(t: int, facts: Facts, policy: Numbers) -> tuple[Who, str]:
    """Who was signed in at instant `t` (ms), for a hit that carries no user ID, and by which way."""
    inside = [span for span in facts.spans if span.first <= t <= span.last]
    if inside:
        return _present(inside, facts)
    return _before(t, facts, policy) or _after(t, facts, policy)


def _present(inside: list[Span], facts: Facts) -> tuple[Who, str]:
    if any(span.user is None for span in inside):
        return NOBODY, CONTESTED
    near = {span.user for span in facts.spans if any(_meet(span, own) for own in inside)}
    return ((inside[0].user, "carried"), PRESENT) if len(near) == 1 else (NOBODY, MET)


def _meet(one: Span, other: Span) -> bool:
    return one.first <= other.last and one.last >= other.first


def _before(t: int, facts: Facts, policy: Numbers) -> tuple[Who, str] | None:
    """None: rule 2 does not say."""
    past = [(span.last, 1, span.user, span.holds) for span in facts.spans if span.last < t]
    past += [(out, 0, None, False) for out in facts.logouts if out <= t]
    if not past or t - max(past, key=lambda fact: fact[:2])[0] > policy.lookback_ms:
        return None
    latest = max(fact[:2] for fact in past)
    last = [fact for fact in past if fact[:2] == latest]
    if latest[1] == 0 or not any(holds for *_, holds in last):
        return None
    users = {user for _, _, user, _ in last}
    return ((users.pop(), "carried"), BEFORE) if len(users) == 1 else (NOBODY, MET_BEFORE)


def _after(t: int, facts: Facts, policy: Numbers) -> tuple[Who, str]:
    coming = [span for span in facts.spans if span.first > t]
    out = min((out for out in facts.logouts if out > t), default=None)
    if not coming or (out is not None and out < min(span.first for span in coming)):
        return NOBODY, NEVER if out is None else LEFT
    at = min(span.first for span in coming)
    if at - t > policy.lookback_ms:
        return NOBODY, LATER
    users = {span.user for span in coming if span.first == at}
    if None in users or len(users) > 1:
        return NOBODY, CONTESTED if None in users else TIE
    recent = [span for span in facts.spans if span.last < t and t - span.last <= policy.lookback_ms]
    newest = max((span.last for span in recent), default=0)
    if recent and {span.user for span in recent if span.last == newest} != users:
        return NOBODY, OTHER
    near = {span.user for span in facts.spans if span.first - t <= policy.lookback_ms >= t - span.last}
    if None in near or len(near) > policy.users_per_device_max:
        return NOBODY, CROWD
    return (users.pop(), "backfilled"), BETWEEN if recent else FIRST
