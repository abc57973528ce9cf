"""Shares as arcs of a ring; it must not know what they are shares of."""

from collections.abc import Sequence
from math import cos, pi, sin

_MIDDLE, _RADIUS = 42.0, 36.0
_GAP = 0.09  # radians between two arcs


def ring(parts: Sequence[tuple[str, int]]) -> list[tuple[str, str]]:
    """Name and path of each part that is not nothing, clockwise from the top."""
    total = sum(number for _, number in parts)
    shown = [(name, number) for name, number in parts if number]
    gap = _GAP if len(shown) > 1 else 0.01
    found = []
    angle = 0.0
    for name, number in shown:
        turn = 2 * pi * number / total
        found.append((name, _arc(angle + gap / 2, max(angle + turn - gap / 2, angle + gap / 2 + 0.02))))
        angle += turn
    return found


def _arc(start: float, end: float) -> str:
    large = int(end - start > pi)
    x0, y0 = _point(start)
    x1, y1 = _point(end)
    return f"M{x0:.1f} {y0:.1f}A{_RADIUS:g} {_RADIUS:g} 0 {large} 1 {x1:.1f} {y1:.1f}"


def _point(angle: float) -> tuple[float, float]:
    return _MIDDLE + _RADIUS * sin(angle), _MIDDLE - _RADIUS * cos(angle)
