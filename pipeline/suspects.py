"""Which guards there are and how the warehouse is asked what they noticed; it must not know who wants to know.

Each guard is a question of its own, so that one that takes too long keeps none of the others back.
"""

from collections.abc import Iterator, Mapping
from typing import Any

from msgspec import Struct

from pipeline import limits
from pipeline.limits import BUCKET_MS, LOOKBACK_MS, USERS_PER_BUCKET_MAX, USERS_PER_DEVICE_MAX
from pipeline.questions import QuestionRefused, Questions

LISTED_MAX = 20  # of one guard: enough to act on, and the worst come first
GUARDS: Mapping[str, str] = {  # worst first
    "id_everywhere": "IDs that are suddenly on many devices: perhaps a default that a bug sends",
    "refused_component": "users whom aliases would make one person who is too many: not joined",
    "user_on_many_devices": "users on more devices than anybody has",
    "page_claims_many": "devices that name more users in half an hour than can be told apart",
    "many_logins": "devices that sign in more often a day than a person does",
    "busy_id": "devices with more actions a day than a person makes",
    "shared_device": "devices that several users signed in on",
    "illegal_id": "words that came instead of an ID",
}
ORDINARY = frozenset({"shared_device"})  # families share tablets: listed, and no reason for alarm
_VIEW = """suspects_by(
    workspace = {workspace:String}, lookback_ms = {lookback_ms:Int64}, bucket_ms = {bucket_ms:Int64},
    users_per_bucket_max = {users_per_bucket_max:UInt32}, users_per_device_max = {users_per_device_max:UInt32},
    devices_per_user_max = {devices_per_user_max:UInt32}, everywhere_devices_min = {everywhere_devices_min:UInt32},
    everywhere_times_min = {everywhere_times_min:UInt32}, everywhere_percent_min = {everywhere_percent_min:UInt32},
    everywhere_crowd_min = {everywhere_crowd_min:UInt32}, logins_per_day_max = {logins_per_day_max:UInt32},
    actions_per_day_max = {actions_per_day_max:UInt32}
)"""
_SUSPECTS = f"FROM {_VIEW} WHERE guard = {{guard:String}}"
_ROW = "workspace, site_id, id, count, what, toString(first_seen), toString(last_seen), setting, count() OVER ()"
_LIST = f"SELECT {_ROW} {_SUSPECTS} ORDER BY count DESC, workspace, site_id, id LIMIT {LISTED_MAX}"
_COUNT = f"SELECT count() {_SUSPECTS}"


class Suspect(Struct, frozen=True):
    """What a guard noticed; `site_id` is "" where it is of several sites, or of none."""

    workspace: str
    site_id: str
    id: str
    count: int
    what: str
    first_seen: str
    last_seen: str
    setting: str


class Found(Struct, frozen=True):
    """One guard's suspects: how many, and the worst of them. `unanswered`: why it could not be told, or ""."""

    guard: str
    number: int = 0
    worst: tuple[Suspect, ...] = ()
    unanswered: str = ""


class Numbers(Struct, frozen=True):
    """Of the rules' numbers those that settings change."""

    lookback_ms: int = LOOKBACK_MS
    users_per_device_max: int = USERS_PER_DEVICE_MAX


def found(ask: Questions, numbers: Numbers, workspace: str = "") -> Iterator[Found]:
    """Every guard, worst first."""
    for guard in GUARDS:
        try:
            _, rows = ask(_LIST, _parameters(guard, numbers, workspace))
        except QuestionRefused as error:
            yield Found(guard, unanswered=str(error))
        else:
            yield Found(guard, rows[0][-1] if rows else 0, tuple(Suspect(*row[:-1]) for row in rows))


def number(ask: Questions, guard: str) -> int:
    """How many suspects a guard has, by the numbers as they come. Raises QuestionRefused."""
    return int(ask(_COUNT, _parameters(guard, Numbers(), ""))[1][0][0])


def _parameters(guard: str, numbers: Numbers, workspace: str) -> dict[str, Any]:
    return {
        "guard": guard,
        "workspace": workspace,
        "lookback_ms": numbers.lookback_ms,
        "bucket_ms": BUCKET_MS,
        "users_per_bucket_max": USERS_PER_BUCKET_MAX,
        "users_per_device_max": numbers.users_per_device_max,
        "devices_per_user_max": limits.DEVICES_PER_USER_MAX,
        "everywhere_devices_min": limits.EVERYWHERE_DEVICES_MIN,
        "everywhere_times_min": limits.EVERYWHERE_TIMES_MIN,
        "everywhere_percent_min": limits.EVERYWHERE_PERCENT_MIN,
        "everywhere_crowd_min": limits.EVERYWHERE_CROWD_MIN,
        "logins_per_day_max": limits.LOGINS_PER_DAY_MAX,
        "actions_per_day_max": limits.ACTIONS_PER_DAY_MAX,
    }
