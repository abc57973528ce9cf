"""Text to a tree, or the place where it makes no sense and what was expected there; it must not know any SQL."""

from typing import cast

from pipeline.limits import SEGMENT_CHARS_MAX, SEGMENT_CONDITIONS_MAX, SEGMENT_DEPTH_MAX
from pipeline.report.segments import values
from pipeline.report.segments.comparison import comparison
from pipeline.report.segments.cursor import Cursor, Stop
from pipeline.report.segments.fields import Of
from pipeline.report.segments.tokens import Fault, tokens
from pipeline.report.segments.tree import Compare, Did, Either, Every, Node, Not, Sign

_COUNTED = "count takes a sign and a number: did(Order, count >= 3)"


def parse(text: str, of: Of = "person") -> Node | Fault:
    """The tree of a text that is not blank. `of` action: of one action, so nothing may be asked of a person."""
    if len(text) > SEGMENT_CHARS_MAX:
        return Fault(f"at most {SEGMENT_CHARS_MAX} characters", SEGMENT_CHARS_MAX)
    found = tokens(text)
    if isinstance(found, Fault):
        return found
    try:
        return _Reading(Cursor(found), of).whole()
    except Stop as stop:
        return stop.fault


class _Reading:
    """One text being read."""

    def __init__(self, cursor: Cursor, of: Of) -> None:
        self._cursor = cursor
        self._of = of
        self._depth = 0
        self._conditions = 0

    def whole(self) -> Node:
        """Everything up to the end."""
        node = self._either()
        if self._cursor.here.kind != "end":
            raise Stop("expected and, or, or the end", self._cursor.here.at)
        return node

    def _either(self) -> Node:
        parts = [self._every()]
        while self._cursor.took("or"):
            parts.append(self._every())
        return parts[0] if len(parts) == 1 else Either(tuple(parts))

    def _every(self) -> Node:
        parts = [self._one()]
        while self._cursor.took("and"):
            parts.append(self._one())
        return parts[0] if len(parts) == 1 else Every(tuple(parts))

    def _one(self) -> Node:
        self._depth += 1
        if self._depth > SEGMENT_DEPTH_MAX:
            raise Stop(f"at most {SEGMENT_DEPTH_MAX} inside one another", self._cursor.here.at)
        node = self._inner()
        self._depth -= 1
        return node

    def _inner(self) -> Node:
        cursor = self._cursor
        if cursor.took("not"):
            return Not(self._one())
        if cursor.here.is_sign("("):
            cursor.take()
            node = self._either()
            cursor.sign(")", "(country = DE or country = AT)")
            return node
        self._conditions += 1
        if self._conditions > SEGMENT_CONDITIONS_MAX:
            raise Stop(f"at most {SEGMENT_CONDITIONS_MAX} conditions", cursor.here.at)
        return self._did() if cursor.here.says("did", "did_not") else comparison(cursor, self._of)

    def _did(self) -> Node:
        cursor, word = self._cursor, self._cursor.take()
        if self._of == "action":
            raise Stop(f"{word.value} is about a person; here one action is meant: name = Order", word.at)
        cursor.sign("(", "did(Order)")
        self._of = "action"
        parts, count, sign = self._arguments()
        self._of = "person"
        cursor.sign(")", "did(Order, count >= 3)")
        did = Did(tuple(parts), count, sign, values.span_ms(cursor) if cursor.took("within") else None)
        return Not(did) if word.says("did_not") else did

    def _arguments(self) -> tuple[list[Node], float, Sign]:
        """What was done, under which conditions, and how often."""
        cursor = self._cursor
        parts: list[Node] = []
        count: tuple[float, Sign] = (1, ">=")
        while True:
            if cursor.took("count"):
                count = self._count()
            elif not parts and cursor.following.is_sign(",", ")"):
                parts.append(named(cursor))
            else:
                parts.append(self._either())
            if not cursor.here.is_sign(","):
                return parts, *count
            cursor.take()

    def _count(self) -> tuple[float, Sign]:
        token = self._cursor.take()
        if not token.is_sign("=", "<", "<=", ">", ">="):
            raise Stop(_COUNTED, token.at)
        return values.number(self._cursor, "count", "did(Order, count >= 3)"), cast(Sign, token.value)


def named(cursor: Cursor) -> Compare:
    """An action by its name alone, or a page by its path."""
    token = cursor.here
    name = values.text(cursor, "did", "did(Order)")
    return Compare("page" if token.kind == "word" and name.startswith("/") else "name", "", "=", (name,))
