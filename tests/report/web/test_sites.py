"""Pages of one site among several of a workspace: the numbers of a plain count, and a choice where there is one."""

import re

import pytest

from pipeline.identity.policy import Policy
from pipeline.report.asking import rows
from pipeline.report.parameters import Problem
from pipeline.times import ms_of
from tests.report import oracle
from tests.report.reported_world import Done
from tests.report.web.conftest import Seen
from tests.report.web.seeded import APP, OTHER, SHOP, SITE
from tests.support.oracle import oracle as whose

ALWAYS = {"workspace": SHOP, "since": "2000-01-01", "until": "2100-01-01", "limit": 10_000}


def done(seen: Seen) -> list[Done]:
    """The shop's actions, by the plain rules."""
    found = whose(seen.hits, Policy())
    return [Done(h, ms_of(h.ts), *found[h.workspace, h.device, h.event_id]) for h in seen.hits if h.workspace == SHOP]


@pytest.mark.parametrize("site", ["", SITE, APP, "no-site"])
def test_pages_of_a_site_are_what_was_seen_there(seen: Seen, site: str) -> None:
    """Empty is every site; the sites have actions, persons and pages of their own."""
    found = rows(seen.ask, "pages", {**ALWAYS, "site": site})
    there = [row for row in done(seen) if row.hit.url and site in ("", row.hit.site_id)]

    assert not isinstance(found, Problem)
    assert bool(there) == (site != "no-site")
    assert sorted(oracle.pages(there)) == sorted(tuple(row.values()) for row in found)


def apart(seen: Seen, workspace: str, **query: str) -> str:
    text = seen.client.get(f"/report/{workspace}/segments", params={"days": "90", **query}).text
    return re.findall('<section[^>]* aria-labelledby="apart-h".*?</section>', text, re.DOTALL)[0]


def test_a_site_can_be_chosen_where_there_are_several(seen: Seen) -> None:
    """It stands in the address; one that is none of the workspace's is all of them."""
    every, one, none = (apart(seen, SHOP, site=site) for site in ("", APP, f"{OTHER}-site"))

    assert f'<option value="{APP}" selected>' in one
    assert {"/ride", "/map", "/ride-started", "/ride-finished"} == set(re.findall('scope="row">(/[^<]*)<', one))
    assert every == none
    assert "<select" not in apart(seen, OTHER)
