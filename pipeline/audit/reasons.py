"""The rules in words, by the names that `attributions.rule` gives them; it must not know when a rule holds."""

from collections.abc import Mapping

from pipeline.identity.policy import Policy
from pipeline.limits import DAY_MS

FACTS = ("login_at", "before_at", "before_user", "after_at", "after_user", "logout_at")
_REASONS = {
    "sent": "the hit itself names {user}",
    "present": "{user} was signed in on this device at that time, from {login_at} on, and nobody else",
    "before": "this device was signed in as {user} since {login_at}; that login holds until a sign-out, and none came",
    "after": "{user} signed in on this device at {login_at}, within {days}, and nothing speaks against it",
    "no_ids": "it carries neither an anonymous ID nor a user ID, so it stands alone",
    "contested": "more users or sign-outs within one half hour than can be told apart",
    "together": "two users were signed in on this device at that time",
    "overlapped": "the logins of another user overlap those around this time",
    "contested_before": "two users signed in at the same instant before, {before_at}",
    "never": "nobody has signed in on this device",
    "signed_out": "it comes after the sign-out at {logout_at}, and nobody has signed in since",
    "not_held": "the login before, of {before_user} at {before_at}, does not hold, and nobody has signed in since",
    "expired": "the login before, at {before_at}, is more than {days} back, and nobody has signed in since",
    "logout_next": "what comes next on this device is a sign-out, not a login",
    "too_far": "the next login, at {after_at}, is more than {days} ahead",
    "contested_after": "the next logins, at {after_at}, are of more than one user",
    "between": "it stands between the logins of {before_user} at {before_at} and of {after_user} at {after_at}",
    "crowded": "more than {users} users signed in on this device within {days}: nothing is claimed of a shared one",
}


def reason(rule: str, numbers: Policy, facts: Mapping[str, str | None]) -> str:
    """One sentence. `facts`: the user, and FACTS as far as they are known."""
    shown = {name: moment(text or "") if name.endswith("_at") else text or "several" for name, text in facts.items()}
    whole, rest = divmod(numbers.lookback_ms, DAY_MS)
    days = f"{numbers.lookback_ms / DAY_MS:g} days" if rest or whole != 1 else "a day"
    return _REASONS[rule].format(**shown, days=days, users=numbers.users_per_device_max)


def moment(iso: str) -> str:
    """`2026-09-01T12:00:00.000Z` as people read it."""
    return iso.replace("T", " ").removesuffix("Z")
