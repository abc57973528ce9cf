"""What a visitor does, in words that every tracker can say; it must not know any tracker."""

from typing import NamedTuple

HOST = "shop.example"


class Visitor(NamedTuple):
    """A device: the ID its tracker keeps (16 hex digits), and what its browser says about itself."""

    anonymous_id: str
    user_agent: str
    language: str = "en-GB"


class Step(NamedTuple):
    """One thing done at `at_ms` (epoch milliseconds, whole seconds) by who is signed in then; "" is nobody.

    `kind`: page, add (to the basket), order, sign_in, sign_out. What a tracker has no word for, it does not send.
    """

    at_ms: int
    kind: str
    path: str
    title: str
    user_id: str = ""

    @property
    def url(self) -> str:
        """Where it was done."""
        return f"https://{HOST}{self.path}"
