"""The parts of `make release-check`; .ci/run does the whole."""

from pathlib import Path

import pytest

from tests.release.check import Wrong, constraints, declared, newest, sbom

ROOT = Path(__file__).parents[2]


def test_the_version_is_the_newest_of_the_changelog() -> None:
    """Said once too often, they part."""
    assert newest((ROOT / "CHANGELOG.md").read_text()) == declared((ROOT / "pyproject.toml").read_text())


def test_an_unreleased_section_is_no_release() -> None:
    """Only a version with a day is one."""
    assert "1.2.3" == newest("## [Unreleased]\n\n## [1.2.3] - 2026-11-23\n\n## [1.2.2] - 2026-11-01\n")
    with pytest.raises(Wrong, match=r"CHANGELOG\.md"):
        newest("## [Unreleased]\n## [1.2.3]\n")


def test_the_lock_as_constraints() -> None:
    """Every pin with its marker, no hash; and of our own lock at least what the project needs."""
    lock = (
        "aiokafka==0.14.0 \\\n    --hash=sha256:00\nuvloop==0.23 ; sys_platform != 'win32' \\\n    --hash=sha256:11\n"
    )
    ours = constraints((ROOT / "requirements.lock").read_text())

    assert "aiokafka==0.14.0\nuvloop==0.23 ; sys_platform != 'win32' \n" == constraints(lock)
    assert {"faust-streaming", "aiokafka", "orjson", "clickhouse-connect"} <= {
        p.split("==")[0] for p in ours.split("\n")
    }


def test_the_sbom_names_every_package_once() -> None:
    """By package URL, in an order of its own."""
    made = sbom("seamline", "1.2.3", [("orjson", "3.11"), ("PyYAML", "6.0")])

    assert ["pkg:pypi/pyyaml@6.0", "pkg:pypi/orjson@3.11"] == [c["purl"] for c in made["components"]]  # type: ignore[attr-defined]
