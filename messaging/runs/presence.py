"""Finds when each instance took part in a stage. Instances appear, vanish and come back.

The module compares the timelines of the instances.
"""

from collections.abc import Collection, Iterator, Mapping, Sequence
from itertools import pairwise

from messaging.runs.timeline import Timeline

ABSENT_SECONDS = 3
"""A shorter time without messages never counts as an absence."""

Span = tuple[int | None, int | None]
"""Begin and end, in seconds since the epoch. None means that the instance was there when the stage began or ended."""


def find_presence(timelines: Mapping[str, Timeline], turn: int, alone: Collection[str] = ()) -> dict[str, list[Span]]:
    """Return the spans of each instance.

    An instance is absent if it takes no messages for ABSENT_SECONDS or longer, while the others take `turn` messages or
    more. So no instance counts as absent while all of them wait.

    `alone` are the instances whose partitions no other instance has read. For them, only a pause between two of their
    messages counts. Before and after, their partitions just had no messages.
    """
    total = Timeline.sum(timelines.values())
    found = {}
    for instance, timeline in timelines.items():
        own = _spread(timeline, total)
        others = [all_of_them - count for all_of_them, count in zip(total.messages, own, strict=True)]
        spans = list(_spans(own, others, total, turn))
        if instance in alone:
            spans[0] = None, spans[0][1]
            spans[-1] = spans[-1][0], None
        found[instance] = spans
    return found


def _spread(timeline: Timeline, over: Timeline) -> list[int]:
    """Return the counts of a timeline, regrouped into the steps of `over`.

    `over` covers the whole time of `timeline`, and its steps are at least as long.
    """
    counts = [0] * len(over.messages)
    for index, count in enumerate(timeline.messages):
        if count:
            counts[(timeline.start + index * timeline.step - over.start) // over.step] += count
    return counts


def _spans(own: Sequence[int], others: Sequence[int], total: Timeline, turn: int) -> Iterator[Span]:
    """Yield the spans between the gaps in `own`. A gap may also lie before the first count or after the last one."""
    active = [-1, *(step for step, count in enumerate(own) if count), len(own)]
    begin: int | None = None
    for before, after in pairwise(active):
        is_long = (after - before - 1) * total.step >= ABSENT_SECONDS
        if is_long and sum(others[before + 1 : after]) >= turn:
            if before >= 0:
                yield begin, total.start + (before + 1) * total.step
            begin = total.start + after * total.step
            if after == len(own):
                return
    yield begin, None
