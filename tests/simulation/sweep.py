"""Many schedules over all cores; it must not know what one schedule does.

`python -m tests.simulation.sweep 40000 100000` runs 100,000 seeds from 40,000 on and prints what went red.
"""

import multiprocessing
import os
import sys
from collections.abc import Sequence
from pathlib import Path

from tests.simulation.schedule import differences

KEPT = Path(__file__).with_name("seeds.txt")
_CHUNK = 200
_RED_MAX = 5  # enough to see a pattern; the rest only costs time


def kept_seeds() -> list[int]:
    """The seeds that once went red."""
    lines = KEPT.read_text().splitlines()
    return [int(line.split()[0]) for line in lines if line and not line.startswith("#")]


def red(seeds: Sequence[int]) -> dict[int, list[str]]:
    """What went wrong, by seed, in this process."""
    return {seed: wrong for seed in seeds if (wrong := _wrong(seed))}


def red_of(seeds: range) -> dict[int, list[str]]:
    """The same on all cores; stops early when several seeds are red."""
    chunks = [seeds[start : start + _CHUNK] for start in range(0, len(seeds), _CHUNK)]
    found: dict[int, list[str]] = {}
    with multiprocessing.get_context("spawn").Pool(os.cpu_count()) as pool:
        for part in pool.imap(red, chunks):
            found |= part
            if len(found) >= _RED_MAX:
                break
    return found


def told(found: dict[int, list[str]]) -> str:
    """For people: what to keep and what to look at."""
    lines = [f"seed {seed}: {wrong}" for seed, wrongs in found.items() for wrong in wrongs[:3]]
    return "\n".join(["add these seeds to tests/simulation/seeds.txt and look at them:", *lines])


def _wrong(seed: int) -> list[str]:
    try:
        return differences(seed)
    except Exception as error:
        return [f"{type(error).__name__}: {error}"]


if __name__ == "__main__":
    first, count = (int(text) for text in sys.argv[1:3])
    reds = red_of(range(first, first + count))
    print(told(reds) if reds else f"{count} schedules, all green")
