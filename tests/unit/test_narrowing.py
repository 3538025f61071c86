"""How exactly once finds a message that Kafka refuses, while other messages keep coming."""

import pytest

from messaging.clients.protocols import Fetched, Partition
from messaging.delivery.exactly_once.narrowing import NORMAL, Narrowing

PARTITIONS = 12
REFUSED = Partition("pong", 3), 400


def poll(offsets: dict[int, range]) -> Fetched:
    """Return a poll with these offsets of each partition."""
    columns = [(number, offset) for number, some in offsets.items() for offset in some]
    partitions, numbers = zip(*columns, strict=True)
    nothing = [None] * len(columns)
    return Fetched("pong", partitions, numbers, nothing, nothing, {}, 0.0)


def has_refused(part: Fetched) -> bool:
    partition, offset = REFUSED
    return (partition.number, offset) in zip(part.partitions, part.offsets, strict=True)


@pytest.mark.parametrize("messages", [10, 100, 1000])
def test_the_refused_message_is_found_soon_although_other_partitions_have_new_messages(messages):
    narrowing = Narrowing()
    positions = dict.fromkeys(range(PARTITIONS), REFUSED[1])
    refusals = 0
    for _ in range(1000):
        polled = poll({number: range(position, position + messages) for number, position in positions.items()})
        for part in narrowing.parts(polled):
            if has_refused(part) and not narrowing.is_refused(part):
                narrowing.refuse([part])
                refusals += 1
                break
            narrowing.committed([part])
            for number, offset in zip(part.partitions, part.offsets, strict=True):
                assert offset == positions[number]
                positions[number] = offset + 1
        if not narrowing.active:
            break

    assert refusals <= messages.bit_length() + 1
    assert positions[REFUSED[0].number] > REFUSED[1]


def test_a_partition_that_goes_to_another_instance_is_forgotten():
    narrowing = Narrowing()
    narrowing.refuse([poll({0: range(1), 1: range(1)})])
    narrowing.keep([Partition("pong", 1)])
    assert narrowing.active

    narrowing.keep([])
    assert not narrowing.active


def test_the_limit_grows_with_each_commit_until_there_is_none():
    narrowing = Narrowing()
    narrowing.refuse([poll({0: range(4)})])
    sizes = []
    while narrowing.active:
        part = next(narrowing.parts(poll({0: range(1000)})))
        sizes.append(len(part))
        narrowing.committed([part])

    assert sizes == [2, 4, 8, 16, 32, NORMAL]
