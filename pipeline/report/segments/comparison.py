"""A field, a sign and values, read; it must not know how conditions are joined, or any SQL."""

from typing import cast

from pipeline.report.segments import values
from pipeline.report.segments.cursor import Cursor, Stop
from pipeline.report.segments.fields import FIELDS, KEYED, Field, Of
from pipeline.report.segments.tokens import Token
from pipeline.report.segments.tree import Compare, How, Node, Not

_ORDERED = ("<", "<=", ">", ">=")
_TAKEN = {
    "text": ("=", "contains", "starts", "in"),
    "number": ("=", *_ORDERED, "in"),
    "time": _ORDERED,
    "flag": ("=",),
    "any": ("=", *_ORDERED, "contains", "starts", "in"),
}
_TAKES = {
    "text": "=, !=, contains, starts with, or in",
    "number": "=, !=, <, <=, >, >=, or in, and a number",
    "time": "<, <=, >, or >=, and a day or how long ago",
    "flag": "= true or = false",
    "any": "=, !=, contains, starts with, in; and <, <=, >, >= with a number",
}


def comparison(cursor: Cursor, of: Of) -> Node:
    """What stands here. `of` action: nothing may be asked of a person."""
    word = cursor.take()
    name, key = _named(cursor, word)
    field = FIELDS[name]
    if field.of == "person" and of == "action":
        raise Stop(f"{name} is about a person; here one action is meant: page = /basket", word.at)
    if field.takes == "flag" and not cursor.here.is_sign("=", "!="):
        return Compare(name, key, "=", (1.0,))  # the word alone says it
    how, opposite = _how(cursor, word.value, field)
    node = _compared(cursor, word.value, name, key, how)
    return Not(node) if opposite else node


def _named(cursor: Cursor, word: Token) -> tuple[str, str]:
    """The field, and of a property or a trait the name: `property.sku`, `trait."shoe size"`."""
    if word.kind != "word" or word.says(*values.JOINING):
        raise Stop("expected a condition: device = phone", word.at)
    name, dot, key = word.value.partition(".")
    if name.lower() in KEYED:
        if dot and not key and cursor.here.kind == "text" and cursor.here.at == word.end:
            key = cursor.take().value
        if not key:
            raise Stop(f"{name} takes a name: {FIELDS[name.lower()].example}", word.at)
        return name.lower(), key
    if word.value.lower() not in FIELDS:
        written = ", ".join(f"{known}.…" if known in KEYED else known for known in FIELDS)
        raise Stop(f"no such field; there are {written}, did(…), did_not(…)", word.at)
    return word.value.lower(), ""


def _how(cursor: Cursor, name: str, field: Field) -> tuple[How, bool]:
    """The comparison, and whether its opposite is meant."""
    token = cursor.take()
    found = token.value.lower() if token.kind in ("sign", "word") else ""
    if found == "starts" and not cursor.took("with"):
        found = ""
    sign = "=" if found == "!=" else found
    if sign not in _TAKEN[field.takes]:
        raise Stop(f"{name} takes {_TAKES[field.takes]}: {field.example}", token.at)
    return cast(How, sign), found == "!="


def _compared(cursor: Cursor, word: str, name: str, key: str, how: How) -> Compare:
    field = FIELDS[name]
    many = how == "in"
    if field.takes == "time":
        value, relative = values.time(cursor, word, field.example)
        return Compare(name, key, how, (value,), relative)
    if field.takes == "flag":
        return Compare(name, key, how, (values.flag(cursor, word, field.example),))
    if field.takes == "number" or (field.takes == "any" and how in _ORDERED):
        numbers = values.one_or_list(cursor, many, lambda: values.number(cursor, word, field.example))
        return Compare(name, key, how, numbers)
    texts = values.one_or_list(cursor, many, lambda: values.text(cursor, word, field.example))
    return Compare(name, key, how, texts)
