"""The README's table of trackers says what the code is, and every row is shown by tests that exist."""

import subprocess
from pathlib import Path

from pipeline.protocols.registry import PROTOCOLS
from pipeline.protocols.support import SUPPORT, table
from pipeline.settings import load_settings
from pipeline.snippets import snippets

ROOT = Path(__file__).parents[2]


def test_every_protocol_has_its_row() -> None:
    """And no row is of a protocol that is not there."""
    assert {protocol.name for protocol in PROTOCOLS} == {name for row in SUPPORT for name in row.protocols}


def test_the_readme_holds_the_table() -> None:
    """`python -m pipeline.protocols.support` was pasted after the last change."""
    readme = (ROOT / "README.md").read_text()
    held = readme.partition("<!-- trackers: python -m pipeline.protocols.support -->\n")[2].partition("<!-- end -->")[0]

    assert table() == held


def test_every_proof_exists() -> None:
    """A link to nothing proves nothing."""
    assert [] == [path for row in SUPPORT for path in row.proof if not (ROOT / path).is_file()]


def test_the_trackers_command_prints_every_protocol_of_the_demo_site() -> None:
    """Ready to paste: the key, the address, and nothing left to guess."""
    [demo] = load_settings({}, {}).sites.published
    told = {snippet.title.partition(":")[0]: snippet.text for snippet in snippets(demo, "https://t.example")}

    systems = {"Contentsquare", *(row.system for row in SUPPORT)}
    assert systems <= told.keys()
    assert [] == [title for title, text in told.items() if "t.example" not in text or "YOUR" in text]


def test_a_key_of_which_only_the_digest_is_known_is_left_open(tmp_path: Path) -> None:
    """And a site that is not there is an error that names what was asked."""
    sites = tmp_path / "sites.yaml"
    sites.write_text(f"sites: [{{workspace: w, site: s, native: {{page_keys: ['sha256:{'0' * 64}']}}}}]")
    seamline = ROOT / ".venv" / "bin" / "seamline"
    words = [str(seamline), "trackers", "--sites", str(sites)]

    assert "YOUR_PAGE_KEY" in subprocess.run(words, capture_output=True, text=True, check=True).stdout
    refused = subprocess.run([*words, "--site", "nope"], capture_output=True, text=True, check=False)
    assert (1, "'nope'") == (refused.returncode, refused.stderr.split()[-1])
