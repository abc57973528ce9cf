"""Everything that is known of one person as one document, complete and only theirs; it must not know who asks."""

from collections.abc import Iterator, Mapping
from typing import Any

from pipeline.identity.ids import user_person
from pipeline.questions import Questions

_PAGE_ROWS = 1_000  # of a hit's full size: an answer of 64 MiB
_COUNT = "SELECT count() FROM journey(person = {person:UUID})"
_ACTIONS = """
    SELECT * FROM journey(person = {person:UUID})
    WHERE cityHash64(device, event_id) % {pages:UInt32} = {page:UInt32}
"""
_PERSON = """
    SELECT person_id, user_ids, first_seen, last_seen, sites, traits
    FROM persons
    WHERE person_id = dictGetOrDefault('canonical_persons', 'canonical_id', {person:UUID}, {person:UUID})
"""
_USERS = """
    SELECT user_id
    FROM person_merges FINAL
    WHERE workspace = {workspace:String} AND users > 1 AND NOT refused
      AND canonical_id = dictGetOrDefault('canonical_persons', 'canonical_id', {person:UUID}, {person:UUID})
"""
# A statement that names somebody else too says of them only that there is another.
_ALIASES = """
    SELECT ts, if(has({users:Array(String)}, user_id), user_id, '') AS user_id,
        if(has({users:Array(String)}, previous_id), previous_id, '') AS previous_id, withdrawn, authority, site_id
    FROM alias_statements FINAL
    WHERE workspace = {workspace:String}
      AND (has({users:Array(String)}, user_id) OR has({users:Array(String)}, previous_id))
    ORDER BY ts, event_id
"""
_DECISIONS = """
    SELECT device, start, end, user_id, attribution, event_id, decided_at
    FROM identity_links FINAL
    WHERE (workspace, device) IN (SELECT workspace, device FROM devices_of_person(person = {person:UUID}))
      AND has({users:Array(String)}, user_id)
    ORDER BY decided_at, device, start
"""


def export(ask: Questions, workspace: str, user_id: str) -> dict[str, Any]:
    """The document; `actions` is empty where nobody is known by that user ID. Raises QuestionRefused."""
    person = {"person": user_person(workspace, user_id)}
    users = sorted({user_id, *(row[0] for row in ask(_USERS, {**person, "workspace": workspace})[1])})
    names = {**person, "users": users, "workspace": workspace}
    actions = sorted(_actions(ask, person), key=lambda row: (row["ts"], row["received_at"], row["event_id"]))
    return {
        "workspace": workspace,
        "person": next(_rows(ask, _PERSON, person), None),
        "user_ids": users,
        "devices": sorted({row["device"] for row in actions}),
        "aliases": list(_rows(ask, _ALIASES, names)),
        "decisions": list(_rows(ask, _DECISIONS, names)),
        "actions": actions,
    }


def _actions(ask: Questions, person: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
    count = int(ask(_COUNT, person)[1][0][0])
    pages = count // _PAGE_ROWS + 1
    for page in range(pages):
        yield from _rows(ask, _ACTIONS, {**person, "pages": pages, "page": page})


def _rows(ask: Questions, sql: str, parameters: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
    columns, rows = ask(sql, parameters)
    return (dict(zip(columns, row, strict=True)) for row in rows)
