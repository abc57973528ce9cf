"""How the view `attributions` is asked; it must not know what for."""

from typing import Any

from pipeline.audit.pages import Page
from pipeline.audit.policy import AuditPolicy


def parameters(page: Page, policy: AuditPolicy, known_by: str = "") -> dict[str, Any]:
    """Of these devices, by this policy, with the facts that had arrived by then ("": all)."""
    place = {"workspace": page.workspace, "from_device": page.from_device, "until_device": page.until_device}
    return {**place, **policy.parameters(), "known_by": known_by}
