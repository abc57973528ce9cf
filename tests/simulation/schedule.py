"""One schedule: a seed makes a world, crashes and stalls, and says what the table shows that the oracle does not."""

from collections.abc import Callable
from random import Random

from tests.simulation.chain import IDLE, SINK, STITCH, Hub, Worker, sink, stitcher
from tests.simulation.table import Row
from tests.simulation.worlds import Small, small_world
from tests.support.oracle import oracle

STEPS_MAX = 20_000
ROLES: dict[str, Callable[..., Worker]] = {STITCH: stitcher, SINK: sink}


class Schedule:
    """Who runs, who was left behind, and the dice."""

    def __init__(self, seed: int) -> None:
        self.rng = Random(seed)
        self.world: Small = small_world(self.rng)
        self.hub = Hub(len(self.world.logs[0]))
        self.live: dict[tuple[str, int], Worker] = {}
        self.left: list[Worker] = []

    def start(self, post: tuple[str, int]) -> None:
        """A new owner for the post: recovers from what is durable."""
        role, number = post
        self.live[post] = ROLES[role](self.hub, number, self.world.policy, self.rng, self.hub.owner(role, number))

    def run(self) -> None:
        """Trouble for a while, then none until all is read; sometimes all once more from the first record."""
        for hits in self.world.logs:
            self.hub.begin(hits)
            for number, records in enumerate(hits):
                for role in ROLES if records else ():
                    self.start((role, number))
            for _ in range(self.rng.choice((0, 10, 40, 120)) if self.live else 0):
                self.trouble()
            self.drain()
        if len(self.world.logs) == 1 and self.rng.random() < 0.05:
            self.replay()
            self.drain()

    def trouble(self) -> None:
        """One step of somebody, or the end of somebody."""
        post = self.rng.choice(list(self.live))
        dice = self.rng.random()
        if dice < 0.06:
            self.start(post)
        elif dice < 0.12:
            self.left.append(self.live[post])
            self.start(post)
        elif dice < 0.35 and self.left:
            self.step_left()
        else:
            next(self.live[post])

    def step_left(self) -> None:
        """Whoever was left behind goes on as if nothing had happened, until a commit is refused or nothing comes."""
        worker = self.rng.choice(self.left)
        if next(worker, IDLE) == IDLE:
            self.left.remove(worker)

    def drain(self) -> None:
        """No more crashes: everybody goes on, in any order, until nobody was left behind and all is read."""
        for _ in range(STEPS_MAX):
            posts = [post for post in self.live if self.unread(post)]
            if not posts and not self.left:
                return
            if self.left and (not posts or self.rng.random() < 0.3):
                self.step_left()
            else:
                next(self.live[self.rng.choice(posts)])
        raise AssertionError(f"not quiet after {STEPS_MAX} steps")

    def unread(self, post: tuple[str, int]) -> bool:
        """Whether there is something to read at this post."""
        role, number = post
        if role == STITCH:
            return self.hub.committed[number] < len(self.hub.hits[number])
        return self.hub.sunk[number] < len(self.hub.stitched[number])

    def replay(self) -> None:
        """Read the whole log again with no state, into the same table."""
        for number, records in enumerate(self.hub.hits):
            if records:
                self.hub.committed[number] = 0
                self.hub.changelog[number].clear()
                self.start((STITCH, number))

    def differences(self) -> list[str]:
        """What the table shows and what it should show, for each row where they differ."""
        expected = oracle([sent.head() for sent in self.world.hits], self.world.policy)
        last = {sent.key: sent for sent in self.world.hits}
        shown = {
            (workspace, device, event_id): row
            for (workspace, device), rows in self.hub.table.devices.items()
            for event_id, row in rows.items()
        }
        different = [f"{key}: only in the table or only in the world" for key in shown.keys() ^ expected.keys()]
        for key in shown.keys() & expected.keys():
            row, want = shown[key], (*expected[key], last[key].ts_ms)
            if _seen(row) != want or row.late:  # none of these worlds is late enough for a row to be marked
                different.append(f"{key}: {row} instead of {want}")
        return different


def _seen(row: Row) -> tuple[str, str, int]:
    return row.person_id, row.attribution, row.ts_ms


def differences(seed: int) -> list[str]:
    """Run one schedule to its end."""
    schedule = Schedule(seed)
    schedule.run()
    return schedule.differences()
