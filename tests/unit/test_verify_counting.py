"""Counting the messages of a run in topics."""

import struct
import uuid
from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as some

from client.verify.counting import Counter, Tally
from messaging.runs.payload import payloads
from messaging.runs.stamp import stamps
from tests.unit.topics import fetched

RUN = uuid.uuid4()
COUNT, SIZE = 20, 8


def payload(number: int) -> bytes:
    return payloads(RUN.bytes, [number], SIZE)[0]


def message(partition: int, number: int, value: bytes | None = b"*") -> tuple[int, bytes, bytes | None]:
    """A message of the run. Its payload is right unless the test gives another."""
    return partition, struct.pack(">16sQQ", RUN.bytes, number, 0), payload(number) if value == b"*" else value


def count(*batches) -> Tally:
    counter = Counter()
    tally = counter.expect("ping", RUN, COUNT, SIZE)
    for batch in batches:
        counter.add(fetched("ping", batch))
    return tally


def figures(tally: Tally) -> dict[str, int]:
    names = "messages", "distinct", "twice", "out_of_order", "changed", "unasked"
    return {name: getattr(tally, name) for name in names}


def counted(*messages) -> dict[str, int]:
    """The figures that are not 0."""
    return {name: value for name, value in figures(count(list(messages))).items() if value}


def test_nothing_is_wrong_if_each_message_comes_once_and_in_order():
    everything = [message(number % 2, number) for number in range(COUNT)]
    assert counted(*everything) == {"messages": COUNT, "distinct": COUNT}


def test_an_extra_copy_counts_as_a_duplicate_and_not_as_out_of_order():
    assert counted(message(0, 1), message(0, 2), message(0, 1)) == {"messages": 3, "distinct": 2, "twice": 1}


def test_a_first_copy_after_a_higher_number_in_its_partition_is_out_of_order():
    assert counted(message(0, 2), message(0, 1))["out_of_order"] == 1
    assert counted(message(0, 3), message(0, 1), message(0, 2))["out_of_order"] == 2
    assert "out_of_order" not in counted(message(0, 2), message(1, 1))


def test_a_message_is_not_out_of_order_if_a_copy_is_in_order_in_another_partition():
    for copies in [message(1, 1), message(0, 2), message(0, 1)], [message(0, 2), message(0, 1), message(1, 1)]:
        assert counted(*copies) == {"messages": 3, "distinct": 2, "twice": 1}


def test_a_wrong_payload_counts_as_changed():
    value = payload(1)
    for other in None, b"", value[:-1], value + b"x", bytes(SIZE), payload(2):
        assert counted(message(0, 1, other)) == {"messages": 1, "distinct": 1, "changed": 1}


def test_an_empty_payload_is_not_the_same_as_no_payload():
    counter = Counter()
    tally = counter.expect("ping", RUN, COUNT, 0)
    counter.add(fetched("ping", [message(0, 1, b""), message(0, 2, None)]))

    assert tally.changed == 1


def test_a_number_that_the_run_does_not_have_is_counted_separately():
    assert counted(message(0, COUNT), message(0, 2**64 - 1)) == {"unasked": 2}
    assert counted(message(0, COUNT), message(0, 1)) == {"messages": 1, "distinct": 1, "unasked": 1}


def test_messages_of_another_run_or_topic_or_program_are_left_out():
    others = [(0, None, b"x"), (0, b"", b"x"), (0, b"x" * 32, b"x"), (0, b"x" * 31, b"x")]
    other_run = [(0, stamps(uuid.uuid4().bytes, [1])[0], payload(1))]
    assert counted(*others, *other_run) == {}

    counter = Counter()
    tally = counter.expect("pong", RUN, COUNT, SIZE)
    counter.add(fetched("ping", [message(0, 1)]))
    assert tally.messages == 0


def test_several_runs_are_counted_separately():
    other = uuid.uuid4()
    counter = Counter()
    tallies = [counter.expect("ping", run, COUNT, SIZE) for run in (RUN, other)]
    keys = stamps(other.bytes, range(3))
    values = payloads(other.bytes, range(3), SIZE)
    counter.add(fetched("ping", [message(0, 1), *zip([0] * 3, keys, values, strict=True), message(0, 2)]))

    assert [(tally.distinct, tally.changed) for tally in tallies] == [(2, 0), (3, 0)]


def test_the_stamps_of_the_services_are_understood():
    keys, values = stamps(RUN.bytes, range(COUNT)), payloads(RUN.bytes, range(COUNT), SIZE)
    assert counted(*zip([0] * COUNT, keys, values, strict=True)) == {"messages": COUNT, "distinct": COUNT}


MESSAGES = some.lists(some.tuples(some.integers(0, 2), some.integers(0, COUNT + 1), some.booleans()), max_size=60)


@given(MESSAGES, some.lists(some.integers(0, 60)))
def test_the_counts_of_any_messages_equal_a_plain_count(sequence, cuts):
    messages = [message(partition, number, b"*" if right else b"no") for partition, number, right in sequence]
    edges = sorted({0, len(messages), *(cut for cut in cuts if cut < len(messages))})
    tally = count(*(messages[start:end] for start, end in pairwise(edges)))

    mine = [entry for entry in sequence if entry[1] < COUNT]
    firsts = [entry for i, entry in enumerate(mine) if entry[:2] not in [other[:2] for other in mine[:i]]]
    late = {True: set(), False: set()}
    for i, (partition, number, _) in enumerate(firsts):
        late[any(other[0] == partition and other[1] > number for other in firsts[:i])].add(number)
    assert figures(tally) == {
        "messages": len(mine),
        "distinct": len({number for _, number, _ in mine}),
        "twice": len(mine) - len({number for _, number, _ in mine}),
        "out_of_order": len(late[True] - late[False]),
        "changed": sum(not right for _, _, right in mine),
        "unasked": len(sequence) - len(mine),
    }
