"""A segment's text as words, texts, signs and where each stands; it must not know what any of them means."""

import re
from collections.abc import Iterator
from typing import Literal, cast

from msgspec import Struct

Kind = Literal["word", "text", "sign", "end"]
_TOKEN = re.compile(
    r"""\s*(?:
        (?P<sign> <=|>=|!=|[=<>(),] )
      | (?P<text> "(?:[^"\\]|\\.)*" | '(?:[^'\\]|\\.)*' )
      | (?P<word> (?:[^\s()=<>!,"'] | !(?!=))+ )
    )""",
    re.VERBOSE | re.DOTALL,
)
_ESCAPED = re.compile(r"\\(.)", re.DOTALL)


class Fault(Struct, frozen=True):
    """Why a segment is none: a sentence, and how many characters in."""

    message: str
    at: int

    def __str__(self) -> str:
        """The sentence."""
        return self.message


class Token(Struct, frozen=True):
    """`value`: a text without its quotes. `end`: the first character after it."""

    kind: Kind
    value: str
    at: int
    end: int

    def says(self, *words: str) -> bool:
        """Whether it is one of these words, however it is capitalised."""
        return self.kind == "word" and self.value.lower() in words

    def is_sign(self, *signs: str) -> bool:
        """Whether it is one of these signs."""
        return self.kind == "sign" and self.value in signs


def tokens(text: str) -> list[Token] | Fault:
    """All of them and an end, or the place where reading stopped."""
    found = list(_tokens(text))
    if found and found[-1].kind != "end":
        return Fault(_stopped_at(text[found[-1].at :]), found[-1].at)
    return found


def _tokens(text: str) -> Iterator[Token]:
    """Ends with an `end`, or with what could not be read."""
    at = 0
    while rest := text[at:].strip():
        match = _TOKEN.match(text, at)
        start = at + len(text[at:]) - len(text[at:].lstrip())
        if match is None:
            yield Token("text", rest, start, len(text))
            return
        kind = cast(Kind, match.lastgroup)
        value = match[kind]
        yield Token(kind, _ESCAPED.sub(r"\1", value[1:-1]) if kind == "text" else value, match.start(kind), match.end())
        at = match.end()
    yield Token("end", "", len(text), len(text))


def _stopped_at(rest: str) -> str:
    if rest[0] in "\"'":
        return f"a text that begins with {rest[0]} ends with {rest[0]}"
    return "a ! stands before =: country != DE"
