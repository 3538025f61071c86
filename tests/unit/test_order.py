"""A message is out of order if its first copy comes after a higher number of the same run and partition."""

from hypothesis import given
from hypothesis import strategies as some
from pyroaring import BitMap

from messaging.runs.order import Order


def late(*batches: tuple[list[int], list[int]]) -> int:
    """Count the messages that are out of order. Each batch has numbers and their partitions."""
    order, seen, found = Order(), BitMap(), 0
    for numbers, partitions in batches:
        found += order.add(numbers, partitions, seen)
        seen |= BitMap(numbers)
    return found


def test_rising_numbers_are_in_order():
    assert late(([1, 2, 5], [0, 0, 0]), ([7, 8], [0, 0])) == 0


def test_each_partition_has_its_own_order():
    assert late(([10, 11, 1, 2], [0, 0, 1, 1]), ([12, 3], [0, 1])) == 0


def test_a_lower_number_is_late_within_a_batch_and_across_batches():
    assert late(([1, 3, 2], [0, 0, 0])) == 1
    assert late(([1, 3], [0, 0]), ([2], [0])) == 1


def test_a_message_that_comes_again_is_a_duplicate_and_not_late():
    assert late(([1, 2, 3], [0, 0, 0]), ([1, 2, 3], [0, 0, 0])) == 0
    assert late(([1, 2, 3, 1, 2, 3], [0] * 6)) == 0
    assert late(([1, 6, 7, 1], [1, 0, 1, 1])) == 0


@given(some.lists(some.integers(0, 20), min_size=1), some.integers(1, 5))
def test_the_count_follows_the_definition_regardless_of_batch_size(numbers, size):
    messages = [(number, number % 3) for number in numbers]  # a message is always in the same partition
    batches = [messages[start : start + size] for start in range(0, len(messages), size)]
    found = late(*([list(column) for column in zip(*batch, strict=True)] for batch in batches))

    highest, seen, expected = {}, set(), 0
    for number, partition in messages:
        expected += number < highest.get(partition, -1) and number not in seen
        seen.add(number)
        highest[partition] = max(highest.get(partition, -1), number)
    assert found == expected
