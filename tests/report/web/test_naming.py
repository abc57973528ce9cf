"""Segments get names on their page: saved, listed, removed, by whoever may see the workspace and by nobody else."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from starlette.testclient import TestClient

from pipeline.limits import FORM_BYTES_MAX, SEGMENT_CHARS_MAX
from pipeline.report.saved import saved
from pipeline.report.web.opening import report_app
from pipeline.settings import load_settings
from tests.report.web.conftest import Seen
from tests.report.web.seeded import NEW, OTHER, SHOP, sites

ORIGIN = {"origin": "http://localhost"}
TOKEN = "a-token-for-one-workspace-0001"


def post(client: TestClient, workspace: str = NEW, **form: str) -> tuple[int, str]:
    reply = client.post(f"/report/{workspace}/segments", data={"do": "save", **form}, headers=ORIGIN)
    return reply.status_code, reply.headers.get("location", "") or reply.text


def test_a_name_is_saved_listed_and_taken_away(seen: Seen) -> None:
    """Its conditions are what every page then means by it; after it is gone they stand in the form."""
    assert 303 == post(seen.client, name="loyal", segment="did(Order, count >= 3)")[0]
    status, location = post(seen.client, name="@both", segment="@loyal")
    assert (303, f"/report/{NEW}/segments?a=%40both&saved=both#saved") == (status, location)
    both = "did(Order, count >= 3)"
    assert {"both": both, "loyal": both} == saved(seen.ask, NEW)
    assert "Saved as <b>@both</b>" in seen.client.get(location).text
    assert "@loyal" in seen.client.get(f"/report/{NEW}/devices").text

    status, location = post(seen.client, do="drop", name="both", days="7")
    assert 303 == status
    shown = seen.client.get(location).text
    assert "@both</b> is gone" in shown
    assert 'value="did(Order, count &gt;= 3)"' in shown
    assert {"loyal": both} == saved(seen.ask, NEW)
    assert saved(seen.ask, SHOP) == {}


@pytest.mark.parametrize(
    ("form", "said"),
    [
        ({"name": "Big", "segment": "devices = 1"}, "Expected a name of"),
        ({"name": "", "segment": "devices = 1"}, "Expected a name of"),
        ({"name": "x", "segment": "devices >="}, "at character 11"),
        ({"name": "x", "segment": "@nobody"}, "expected a name that was saved"),
        ({"name": "x", "segment": " "}, "everybody is meant"),
        ({"name": "x", "segment": "a" * (SEGMENT_CHARS_MAX + 1)}, "at character"),
        ({"do": "drop", "name": "never"}, "No segment is called @never"),
        ({"do": "drop", "name": "<b>"}, "No segment is called @&lt;b&gt;"),
    ],
)
def test_what_is_wrong_is_said_beside_the_form(seen: Seen, form: dict[str, str], said: str) -> None:
    """What was written stays in it, and nothing is stored."""
    status, text = post(seen.client, OTHER, **form)

    assert 400 == status
    assert said in text
    assert saved(seen.ask, OTHER) == {}


@pytest.mark.parametrize("headers", [{}, {"origin": "https://evil.example"}, {"origin": "null"}])
def test_another_page_cannot_name_anything(seen: Seen, headers: dict[str, str]) -> None:
    """However it sends the form: a browser says where it comes from."""
    form = {"do": "save", "name": "evil", "segment": "devices = 1"}
    said = seen.client.post(f"/report/{OTHER}/segments", data=form, headers=headers)

    assert 403 == said.status_code
    assert saved(seen.ask, OTHER) == {}


def test_a_form_has_a_bound(seen: Seen) -> None:
    """Past it nothing is read."""
    assert 413 == post(seen.client, name="x", segment="a" * FORM_BYTES_MAX)[0]


@pytest.fixture
def behind_a_door(seen: Seen, tmp_path: Path) -> Iterator[TestClient]:
    """A page that asks for a token, which opens one workspace; no `up` runs that could store anything."""
    (tmp_path / "tokens").write_text(f"{SHOP} {TOKEN}")
    environ = {"SITES": str(sites(tmp_path)), "REPORT_TOKEN_FILE": str(tmp_path / "tokens"), "DATA": str(tmp_path)}
    app = report_app(load_settings({f"SEAMLINE_{name}": text for name, text in environ.items()}), seen.ask)
    yield TestClient(app, "http://localhost", client=("127.0.0.1", 4711), follow_redirects=False)
    app.close()


def test_nobody_names_segments_of_a_workspace_they_may_not_see(behind_a_door: TestClient) -> None:
    """Nor without signing in."""
    assert 401 == post(behind_a_door, SHOP, name="x", segment="devices = 1")[0]
    behind_a_door.post("/report/sign-in", data={"token": TOKEN}, headers=ORIGIN)

    assert 404 == post(behind_a_door, OTHER, name="x", segment="devices = 1")[0]


def test_what_could_not_be_stored_is_said(behind_a_door: TestClient) -> None:
    """In words for whoever reads the page; the reason is in the log."""
    behind_a_door.post("/report/sign-in", data={"token": TOKEN}, headers=ORIGIN)
    status, text = post(behind_a_door, SHOP, name="kept", segment="devices = 1")

    assert (400, True) == (status, "nothing has changed" in text)
    assert 'value="kept"' in text
