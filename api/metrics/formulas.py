"""The formulas of the metrics, without I/O.

docs/metrics.md explains the formulas to users. Times are in seconds since the epoch.
"""

from collections.abc import Collection, Sequence
from statistics import fmean

POINTS = 500
"""A `Past` keeps at most this many points. If there are more, every other point is dropped."""


def skew(loads: Collection[float]) -> float | None:
    """Return the largest load divided by the mean. Return None if there is nothing to compare."""
    mean = fmean(loads) if len(loads) > 1 else 0.0
    return max(loads) / mean if mean > 0 else None


def growth(points: Sequence[tuple[float, float]]) -> float | None:
    """Return the growth of a value per second, from the first (time, value) point to the last one.

    Return None if the growth is unknown.
    """
    if len(points) < 2 or points[-1][0] <= points[0][0]:
        return None
    (start, first), (end, last) = points[0], points[-1]
    return (last - first) / (end - start)


class Past:
    """The end offsets of a partition over time. They give the age of its oldest uncommitted message."""

    def __init__(self) -> None:
        self._points: list[tuple[float, int]] = []

    def lag_seconds(self, at: float, end: int, committed: int) -> float:
        """Add the newest end offset. Return the age of the oldest uncommitted message, in seconds.

        If this message arrived between two points, its time of arrival is estimated. The estimate assumes that messages
        arrived at a constant rate between these points. If this message arrived before the first point, its time of
        arrival is unknown. Then the seconds since the first point are returned.
        """
        self._add(at, end)
        if committed >= end:
            self._points = self._points[-1:]
            return 0.0
        passed = next(index for index, (_, offset) in enumerate(self._points) if offset > committed)
        if passed == 0:
            return at - self._points[0][0]
        self._points = self._points[passed - 1 :]
        (earlier, low), (later, high) = self._points[:2]
        return at - (earlier + (later - earlier) * (committed - low) / (high - low))

    def _add(self, at: float, end: int) -> None:
        points = self._points
        if points and end < points[-1][1]:  # somebody has deleted the topic and created it again
            points.clear()
        if len(points) > 1 and points[-1][1] == points[-2][1] == end:
            points[-1] = at, end  # the offset has not changed, so the newest time is enough
        else:
            points.append((at, end))
        if len(points) > POINTS:
            self._points = [*points[:-1:2], points[-1]]
