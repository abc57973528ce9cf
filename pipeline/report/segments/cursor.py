"""A place among tokens, and what is taken there; it must not know the language."""

from pipeline.report.segments.tokens import Fault, Token


class Stop(Exception):
    """A Fault on its way out of the recursion."""

    def __init__(self, message: str, at: int) -> None:
        self.fault = Fault(message, at)


class Cursor:
    """Goes through tokens once, and stays at the end."""

    def __init__(self, found: list[Token]) -> None:
        self._tokens = found
        self._next = 0

    @property
    def here(self) -> Token:
        """The token that would be taken."""
        return self._tokens[self._next]

    @property
    def following(self) -> Token:
        """The token after it."""
        return self._tokens[min(self._next + 1, len(self._tokens) - 1)]

    def take(self) -> Token:
        """This token; the next one is here then."""
        token = self.here
        self._next += token.kind != "end"
        return token

    def took(self, *words: str) -> bool:
        """Take it if it is one of these words."""
        if self.here.says(*words):
            self.take()
            return True
        return False

    def sign(self, sign: str, example: str) -> None:
        """Take this very sign, or stop."""
        if not self.here.is_sign(sign):
            raise Stop(f"expected {sign}: {example}", self.here.at)
        self.take()
