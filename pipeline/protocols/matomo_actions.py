"""What a Matomo request says happened: its action, by Matomo's own precedence; it knows no site and no person."""

import math
from collections.abc import Mapping

from msgspec import Struct

Params = Mapping[str, str]


class Action(Struct, frozen=True):
    """The hit's type and name, and its money."""

    type: str
    name: str = ""
    revenue: float | None = None


def action_of(params: Params) -> Action:
    """Heartbeats and conversions record no action; else download > outlink > event > content > search > page view."""
    get = params.get
    if get("ping") == "1":
        return Action("ping")
    if get("idgoal", "").strip().isdecimal():
        return _conversion(params)
    if url := get("download"):
        return Action("download", url)
    if url := get("link"):
        return Action("outlink", url)
    if get("e_c") and get("e_a"):
        return Action("track", params["e_a"].strip())
    if get("c_n"):
        return Action("content", params["c_n"].strip())
    if keyword := get("search"):
        return Action("search", keyword)
    # `ca` marks an event whose plugin we do not know: whatever it was, it was no page view.
    return Action("track" if get("ca") == "1" else "page", get("action_name", ""))


def _conversion(params: Params) -> Action:
    """`idgoal` > 0 is a goal; 0 is an order if it has an ID, else a cart."""
    revenue = number(params.get("revenue", ""))
    goal = params["idgoal"].strip()
    if goal.strip("0"):
        return Action("goal", goal, revenue)
    order = params.get("ec_id", "").strip()
    return Action("order", order, revenue) if order else Action("cart", "", revenue)


def invalid_field(params: Params) -> str:
    """The parameter for which Matomo refuses the request with 400 whatever the site, or ""."""
    cid = params.get("cid", "")
    if cid and not (len(cid) == 16 and is_hex(cid)):
        return "cid"
    for both in (("e_c", "e_a"), ("c_n",)):
        if all(params.get(name) for name in both):
            blank = [name for name in both if not params[name].strip()]
            if blank:
                return blank[0]
    for name in ("pf_net", "pf_srv", "pf_tfr", "pf_dm1", "pf_dm2", "pf_onl"):
        if params.get(name, "").lstrip().startswith("-"):
            return name
    return ""


def visitor_id(params: Params) -> str:
    """`cid`, else the first 16 characters of `_id` if they are hexadecimal; Matomo ignores any other."""
    cid = params.get("cid", "")
    if cid:
        return cid.lower()
    first = params.get("_id", "")[:16].lower()
    return first if len(first) == 16 and is_hex(first) else ""


def is_hex(text: str) -> bool:
    """Only 0-9, a-f, A-F."""
    return not text.strip("0123456789abcdefABCDEF")


def number(text: str) -> float | None:
    """A finite number, else None: trackers write `false` for none."""
    try:
        value = float(text)
    except ValueError:
        return None
    return value if math.isfinite(value) else None
