"""Splitting a batch by run: every stamped message appears once and in order. Other messages do not appear."""

import time
import uuid

from hypothesis import given
from hypothesis import strategies as some

from messaging.runs.batch import Batch
from messaging.runs.stamp import stamps

RUNS = [uuid.UUID(int=number) for number in range(3)]

Message = tuple[uuid.UUID | None, int]

messages = some.tuples(some.sampled_from([*RUNS, None]), some.integers(0, 1000))
"""Each tuple is a message: its run and its number. The run of a foreign message is None."""


def batch_of(described: list[Message]) -> Batch:
    """Return a batch. The value of each message is its index. The partitions take turns."""
    keys = [run and stamps(run.bytes, [number])[0] for run, number in described]
    places = range(len(described))
    return Batch("pong", [place % 4 for place in places], keys, [str(place).encode() for place in places], 0.1)


@given(some.lists(messages))
def test_every_stamped_message_is_in_the_part_of_its_run_and_other_messages_are_in_no_part(described):
    parts = {
        part.run: list(zip(part.numbers, part.values, part.partitions, strict=True))
        for part in batch_of(described).by_run()
    }

    expected: dict[uuid.UUID, list] = {}
    for place, (run, number) in enumerate(described):
        if run is not None:
            expected.setdefault(run, []).append((number, str(place).encode(), place % 4))
    assert parts == expected


@given(some.lists(some.tuples(some.just(RUNS[0]), some.integers(0, 1000)), min_size=1))
def test_a_batch_of_one_run_is_one_part(described):
    (part,) = batch_of(described).by_run()

    assert (part.run, list(part.numbers)) == (RUNS[0], [number for _, number in described])


@given(some.lists(messages))
def test_times_are_those_of_the_stamps(described):
    earliest = time.time_ns() // 1000
    batch = batch_of(described)
    latest = time.time_ns() // 1000

    assert [sent is None for sent in batch.sent_times] == [run is None for run, _ in described]
    for part in batch.by_run():
        assert len(part.sent_times) == len(part.numbers)
        assert all(earliest <= sent <= latest for sent in part.sent_times)


def test_the_size_of_a_part_is_that_of_its_values():
    keys = stamps(RUNS[0].bytes, range(3))
    (part,) = Batch("pong", [0, 0, 0], keys, [b"12345", None, b""], 0.1).by_run()

    assert part.size == 5


def test_an_empty_batch_has_no_parts():
    assert list(Batch("pong", [], [], [], 0.1).by_run()) == []
