"""The script as it is sent: without comments and spare space, local names short; it must not know what it says.

Made for our own source, not for any: it renames a name only where every mention of it is surely a variable, the same
way in every scope, and where it is in doubt it changes nothing. Line ends stay where a statement may end.
"""

import re
from collections.abc import Iterable, Iterator
from itertools import count, pairwise, product
from string import ascii_letters
from typing import NamedTuple

_TOKEN = re.compile(
    r"""(?P<space>\s+|//[^\n]*)"""
    r"""|(?P<word>[A-Za-z_$][\w$]*)"""
    r"""|(?P<number>\d[\w.]*)"""
    r"""|(?P<text>"(?:\\.|[^"\\])*"|'(?:\\.|[^'\\])*'|`(?:\\.|[^`\\])*`)"""
    r"""|(?P<sign>\.\.\.|=>|\*\*|[-+&|<>=!]=?=?|[-+&|]{2}|[^\s\w])"""
)
_PATTERN = re.compile(r"/(?:\\.|\[(?:\\.|[^\]\\])*\]|[^/\\\n])+/[a-z]*")
_WORD = re.compile(r"[A-Za-z_$][\w$]*")
_ENDS_A_VALUE = frozenset({"word", "number", "text"})
_BEFORE_A_PATTERN = frozenset({"return", "typeof", "case"})
_DECLARES = frozenset({"const", "let", "function"})
_OPENS, _CLOSES = {"(": ")", "[": "]", "{": "}"}, frozenset(")]}")
_RESERVED = frozenset({"as", "do", "if", "in", "of"})  # of the names that could be made
_GLUES_LEFT = frozenset("{([,;?:.=<>&|+-*!") | {"=>", "===", "!==", "&&", "||", "...", ">=", "<="}


class Token(NamedTuple):
    """A piece of source. `line` says that a line ended before it, `space` that anything at all stood there."""

    kind: str
    text: str
    space: bool
    line: bool


def shortened(source: str) -> str:
    """The same program in fewer bytes."""
    tokens = list(_tokens(source))
    names = _short_names(tokens)
    return _joined(
        token._replace(text=names.get(token.text, token.text)) if _is_variable(tokens, at) else token
        for at, token in enumerate(tokens)
    )


def _tokens(source: str) -> Iterator[Token]:
    """Comments and space are told of by the token after them."""
    at, gap, before = 0, "", Token("sign", ";", False, False)
    while at < len(source):
        value = before.kind in _ENDS_A_VALUE and before.text not in _BEFORE_A_PATTERN
        value = value or before.text in _CLOSES
        found = _PATTERN.match(source, at) if source[at] == "/" and not value and source[at + 1] != "/" else None
        kind = "text" if found else ""
        if found is None:
            found = _TOKEN.match(source, at)
            assert found is not None
            kind = str(found.lastgroup)
        at = found.end()
        if kind == "space":
            gap += found[0]
            continue
        before = Token(kind, found[0], bool(gap), "\n" in gap)
        gap = ""
        yield before


def _is_variable(tokens: list[Token], at: int) -> bool:
    """Whether this mention is neither a member nor a key. A ternary's middle looks like a key, and is left alone."""
    before = tokens[at - 1].text if at else ""
    after = tokens[at + 1].text if at + 1 < len(tokens) else ""
    return tokens[at].kind == "word" and before != "." and after != ":"


def _short_names(tokens: list[Token]) -> dict[str, str]:
    """New names, the most used first, for what is declared here and never a key, a member, or inside a template."""
    words = [token.text for token in tokens if token.kind == "word"]
    declared = {after.text for before, after in pairwise(tokens) if before.text in _DECLARES}
    declared |= _parameters(tokens)
    kept = {word for token in tokens if token.text.startswith("`") for word in _WORD.findall(token.text)}
    kept |= {token.text for at, token in enumerate(tokens) if token.kind == "word" and not _is_variable(tokens, at)}
    kept |= _shorthands(tokens)
    renamed = sorted((declared & set(words)) - kept, key=lambda word: (-words.count(word), word))
    taken = {*words, *_RESERVED}
    free = (name for name in _names() if name not in taken)
    return dict(zip(renamed, free, strict=False))


def _parameters(tokens: list[Token]) -> set[str]:
    """`(name, …) =>` and `function name(name, …)`: words and commas alone between parentheses."""
    found: set[str] = set()
    for at, token in enumerate(tokens):
        if token.text == "(":
            end = at + 1
            while tokens[end].kind == "word" or tokens[end].text == ",":
                end += 1
            named = at > 1 and tokens[at - 2].text == "function"
            if tokens[end].text == ")" and (named or tokens[end + 1].text == "=>"):
                found |= {inner.text for inner in tokens[at:end] if inner.kind == "word"}
    return found


def _shorthands(tokens: list[Token]) -> set[str]:
    """`{ name, other }` and methods `{ name() {} }`: a variable and a key at once, or a key alone."""
    found: set[str] = set()
    open_: list[str] = []
    for at, token in enumerate(tokens):
        if token.text in _OPENS:
            open_.append(token.text)
        elif token.text in _CLOSES:
            open_.pop()
        elif token.kind == "word" and open_ and open_[-1] == "{":
            before, after = tokens[at - 1].text, tokens[at + 1].text
            if before in {"{", ",", "async"} and after in {",", "}", "(", "="}:
                found.add(token.text)
    return found


def _names() -> Iterator[str]:
    for length in count(1):
        yield from ("".join(letters) for letters in product(ascii_letters, repeat=length))


def _joined(tokens: Iterable[Token]) -> str:
    parts: list[str] = []
    before = Token("sign", ";", False, False)
    for token in tokens:
        words = before.kind in {"word", "number"} and token.kind in {"word", "number"}
        glued = before.text in _GLUES_LEFT or token.text in _CLOSES
        if token.line and not glued:
            parts.append("\n")
        elif words or (token.space and before.text[-1] == token.text[0] and token.kind == "sign"):
            parts.append(" ")
        parts.append(token.text)
        before = token
    return "".join(parts) + "\n"
