"""Each message of a run has a stamp as its key. A key that is not a stamp is called a foreign key."""

import time
import uuid

import pytest
from hypothesis import given
from hypothesis import strategies as some

from messaging.runs.stamp import LARGEST_NUMBER, SIZE, is_one_run, sent_times, stamps, unpack, words

RUN = uuid.uuid4().bytes


def test_a_stamp_holds_the_run_and_the_number_and_the_time_in_32_bytes():
    before = time.time_ns() // 1000
    key = stamps(RUN, range(7, 8))[0]
    run, number, sent = unpack(key)

    assert (len(key), SIZE) == (32, 32)
    assert (run, number) == (RUN, 7)
    assert before <= sent <= time.time_ns() // 1000
    assert key == RUN + (7).to_bytes(8, "big") + sent.to_bytes(8, "big")


@given(some.uuids(), some.lists(some.integers(0, LARGEST_NUMBER), min_size=1))
def test_a_stamp_is_read_back(run, numbers):
    before = time.time_ns() // 1000
    keys = stamps(run.bytes, numbers)
    row = words(keys)

    assert [unpack(key)[:2] for key in keys] == [(run.bytes, number) for number in numbers]
    assert list(row[2::4]) == numbers
    assert list(row[3::4]) == sent_times(keys)
    assert before <= min(sent_times(keys)) <= max(sent_times(keys)) <= time.time_ns() // 1000
    assert is_one_run(row)


@given(some.lists(some.none() | some.binary(max_size=40), min_size=1))
def test_foreign_keys_are_detected_in_any_column_of_keys(keys):
    """`words` returns None if any key is foreign. `sent_times` returns a list with None for each foreign key."""
    row, times = words(keys), sent_times(keys)

    assert len(times) == len(keys)
    assert (row is None) == (None in times)


def test_all_keys_of_a_column_are_read_together():
    keys = stamps(RUN, range(1000))
    row = words(keys)

    assert list(row[2::4]) == list(range(1000))
    assert list(row[3::4]) == sent_times(keys) == [unpack(key)[2] for key in keys]


def test_a_column_belongs_to_one_run_if_all_its_stamps_have_the_same_run_id():
    mine, other = stamps(RUN, range(2)), stamps(uuid.uuid4().bytes, range(2))

    assert is_one_run(words(mine))
    assert not is_one_run(words(mine + other))


FOREIGN = [None, b"", b"user-42", b"x" * 31, b"x" * 33, b"x" * 32, bytes(32)]


@pytest.mark.parametrize("foreign", FOREIGN)
def test_a_foreign_key_has_no_time_and_does_not_affect_the_times_of_others(foreign):
    mine = stamps(RUN, range(2))

    assert list(sent_times([mine[0], foreign, mine[1]])) == [unpack(mine[0])[2], None, unpack(mine[1])[2]]
    assert list(sent_times([foreign])) == [None]
    assert words([mine[0], foreign]) is None


def test_keys_of_31_and_33_bytes_are_foreign_although_together_they_are_as_long_as_two_stamps():
    assert list(sent_times([b"x" * 31, b"x" * 33])) == [None, None]


def test_unpacking_a_foreign_key_is_an_error():
    with pytest.raises(ValueError, match="not a stamp"):
        unpack(b"x" * 32)
