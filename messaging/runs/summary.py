"""One stage of a run over all its instances: states merged into the figures that GET /runs/ID shows."""

import time
from collections import Counter, defaultdict
from collections.abc import Sequence
from dataclasses import asdict, dataclass

from pyroaring import BitMap

from messaging.runs.blocks import BLOCK_MESSAGES
from messaging.runs.latencies import Latencies
from messaging.runs.presence import find_presence
from messaging.runs.stage import Stage, not_taken, union
from messaging.runs.timeline import Timeline

PERCENTILES = {"p50": 0.5, "p90": 0.9, "p99": 0.99, "p99_9": 0.999, "p99_99": 0.9999}


@dataclass(frozen=True)
class StageSummary:
    """What a stage has seen of a run. `byte_rate` is in MB/s (10^6 bytes), `first` and `last` are ISO times in UTC."""

    messages: int
    distinct: int
    duplicates: int
    missing: int
    failed: int
    out_of_order: int
    bytes: int
    first: str | None
    last: str | None
    message_rate: float | None
    byte_rate: float | None
    latency_ms: dict[str, float] | None
    clock_skew: int
    """How many messages came before they were sent, because two clocks differ."""
    timeline: dict[str, object] | None
    partitions: dict[str, int]
    instances: dict[str, int]
    presence: dict[str, list[dict[str, str | None]]]
    """When each instance took part in the stage."""

    def as_json(self) -> dict[str, object]:
        """Return the summary as members of a JSON object."""
        return asdict(self)


def summarize(states: Sequence[tuple[str, Stage]], sent: BitMap | None, expected: int) -> StageSummary:
    """Merge the states of a stage. `states` contains pairs of an instance and its state.

    `sent` has the numbers that must come to the stage. None means all numbers of the run, `expected` in total.
    """
    stages = [stage for _, stage in states]
    numbers = union(stages)
    messages = sum(stage.messages for stage in stages)
    first = min((stage.first for stage in stages if stage.first), default=None)
    last = max((stage.last for stage in stages if stage.last), default=None)
    message_rate, byte_rate = _rates(stages, first, last)
    partitions: Counter[int] = Counter()
    instances: Counter[str] = Counter()
    for instance, stage in states:
        partitions.update(stage.partitions)
        instances[instance] += stage.messages
    return StageSummary(
        messages=messages,
        distinct=len(numbers),
        duplicates=messages - len(numbers),
        missing=expected - len(numbers) if sent is None else len(sent - numbers),
        failed=len(not_taken(stages)),
        out_of_order=sum(stage.out_of_order for stage in stages),
        bytes=sum(stage.bytes for stage in stages),
        first=iso(first),
        last=iso(last),
        message_rate=message_rate,
        byte_rate=byte_rate,
        latency_ms=_latency(stages) if messages else None,
        clock_skew=sum(stage.latencies.negative for stage in stages),
        timeline=_timeline(stages) if messages else None,
        partitions={str(number): count for number, count in sorted(partitions.items())},
        instances=dict(sorted(instances.items())),
        presence=_presence(states, len(partitions)),
    )


def _presence(states: Sequence[tuple[str, Stage]], partitions: int) -> dict[str, list[dict[str, str | None]]]:
    timelines = {
        instance: Timeline.sum(stage.timeline for other, stage in states if other == instance)
        for instance in sorted({instance for instance, stage in states if stage.messages})
    }
    read: dict[str, set[int]] = defaultdict(set)
    for instance, stage in states:
        read[instance].update(stage.partitions)
    readers = Counter(number for numbers in read.values() for number in numbers)
    alone = {instance for instance, numbers in read.items() if all(readers[number] == 1 for number in numbers)}
    # Blocks go to all partitions in turn. So within two rounds over all partitions, each instance gets messages.
    found = find_presence(timelines, 2 * BLOCK_MESSAGES * partitions, alone)
    return {
        instance: [{"from": _iso_of(begin), "to": _iso_of(end)} for begin, end in spans]
        for instance, spans in found.items()
    }


def _iso_of(second: int | None) -> str | None:
    return None if second is None else iso(second * 1_000_000)


def _rates(stages: Sequence[Stage], first: int | None, last: int | None) -> tuple[float | None, float | None]:
    """Return messages and MB per second, from the first moment to the last. Messages of the first moment do not count.

    There is no rate if all messages came at once.
    """
    if first is None or last is None or last <= first:
        return None, None
    at_first = [stage for stage in stages if stage.first == first]
    messages = sum(stage.messages for stage in stages) - sum(stage.first_messages for stage in at_first)
    size = sum(stage.bytes for stage in stages) - sum(stage.first_bytes for stage in at_first)
    seconds = (last - first) / 1e6
    return messages / seconds, size / seconds / 1e6


def _latency(stages: Sequence[Stage]) -> dict[str, float]:
    latencies = Latencies.sum(stage.latencies for stage in stages)
    at = latencies.percentiles(PERCENTILES.values())
    return dict(zip(PERCENTILES, at, strict=True)) | {"max": latencies.longest / 1000}


def _timeline(stages: Sequence[Stage]) -> dict[str, object]:
    timeline = Timeline.sum(stage.timeline for stage in stages)
    return {"start": iso(timeline.start * 1_000_000), "step": timeline.step, "messages": timeline.messages}


def iso(microseconds: int | None) -> str | None:
    """Return an instant as ISO 8601 in UTC, to the millisecond."""
    if microseconds is None:
        return None
    seconds, rest = divmod(microseconds, 1_000_000)
    return f"{time.strftime('%Y-%m-%dT%H:%M:%S', time.gmtime(seconds))}.{rest // 1000:03d}Z"
