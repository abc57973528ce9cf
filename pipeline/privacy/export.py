"""Everything that is known of one person as one document, complete and only theirs; it must not know who asks."""

from collections.abc import Iterator, Mapping
from typing import Any

from pipeline.identity.ids import user_person
from pipeline.questions import Questions
from pipeline.warehouse.texts import sql_text

_PAGE_ROWS = 1_000


def export(ask: Questions, workspace: str, user_id: str) -> dict[str, Any]:
    """The document; `actions` is empty where nobody is known by that user ID. Raises QuestionRefused."""
    person = {"person": user_person(workspace, user_id)}
    users = sorted({user_id, *(row[0] for row in ask(sql_text("export/users"), {**person, "workspace": workspace})[1])})
    names = {**person, "users": users, "workspace": workspace}
    actions = sorted(_actions(ask, person), key=lambda row: (row["ts"], row["received_at"], row["event_id"]))
    return {
        "workspace": workspace,
        "person": next(_rows(ask, sql_text("export/person"), person), None),
        "user_ids": users,
        "devices": sorted({row["device"] for row in actions}),
        "aliases": list(_rows(ask, sql_text("export/aliases"), names)),
        "decisions": list(_rows(ask, sql_text("export/decisions"), names)),
        "actions": actions,
    }


def _actions(ask: Questions, person: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
    count = int(ask(sql_text("export/count"), person)[1][0][0])
    pages = count // _PAGE_ROWS + 1
    for page in range(pages):
        yield from _rows(ask, sql_text("export/actions"), {**person, "pages": pages, "page": page})


def _rows(ask: Questions, sql: str, parameters: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
    columns, rows = ask(sql, parameters)
    return (dict(zip(columns, row, strict=True)) for row in rows)
