"""How the view `attributions` is asked; it must not know what for."""

from importlib.resources import files
from typing import Any

from pipeline.audit.pages import Page
from pipeline.audit.policy import AuditPolicy


def sql(name: str) -> str:
    """A question of the audit, by the name of its file."""
    return files("pipeline.warehouse").joinpath("sql", "audit", f"{name}.sql").read_text()


def parameters(page: Page, policy: AuditPolicy, known_by: str = "") -> dict[str, Any]:
    """Of these devices, by this policy, with the facts that had arrived by then ("": all)."""
    place = {"workspace": page.workspace, "from_device": page.from_device, "until_device": page.until_device}
    return {**place, **policy.parameters(), "known_by": known_by}
