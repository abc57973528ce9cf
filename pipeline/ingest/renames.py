"""Users whose site is changing keys, each stated once in a while; it must not know what a key is."""

from collections import OrderedDict
from collections.abc import Iterable

from pipeline.model import Alias, Hit
from pipeline.protocols.aliases import renaming

USERS_MAX = 65_536  # said again after so many others: the statement is the same, and the store keeps one


class Renames:
    """Which renamings this process has made durable lately."""

    def __init__(self) -> None:
        self._stated: OrderedDict[tuple[str, str], None] = OrderedDict()

    def of(self, hits: Iterable[Hit]) -> list[Alias]:
        """The statements these hits call for and that were not made yet."""
        named = {(hit.workspace, hit.user_id): hit for hit in hits if hit.former_id}
        return [renaming(hit) for name, hit in named.items() if name not in self._stated]

    def stated(self, statements: Iterable[Alias]) -> None:
        """These are durable."""
        for said in statements:
            self._stated[said.workspace, said.user_id] = None
        while len(self._stated) > USERS_MAX:
            self._stated.popitem(last=False)
