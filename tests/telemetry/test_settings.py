"""Every setting is in the manual, with all that whoever sets it has to know."""

import re
from pathlib import Path

import pytest

from deploy.derived import DERIVED
from pipeline.setting_table import ALL, SETTINGS, Setting

PAGE = Path(__file__).parents[2] / "deploy" / "README.md"


def test_the_table_is_what_the_code_makes() -> None:
    """A setting that is new, renamed, or has another default makes it stale: `make derived`."""
    named = set(re.findall(r"^\| `SEAMLINE_(\w+)` \| .* \| .* \| .+ \| .+ \|$", PAGE.read_text(), re.M))

    assert DERIVED[PAGE]() == PAGE.read_text()
    assert named == {setting.name for setting in SETTINGS}


@pytest.mark.parametrize("setting", SETTINGS, ids=lambda setting: setting.name)
def test_a_setting_says_what_it_takes_and_who_reads_it(setting: Setting) -> None:
    """In words of its parser; a size or a time in a unit that its name has too, and a default that it would take."""
    assert setting.takes != "anything"
    assert setting.sentence
    assert not re.search(r"[A-Z].*\.$", setting.sentence), "a phrase, like the others"
    assert set(setting.readers) <= set(ALL)
    assert setting.readers
    assert ("whole number" in setting.takes) or not setting.unit
    if setting.default:
        setting.parse(setting.default.replace("{data}", "/data"))
