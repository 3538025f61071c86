"""The stamp: what a message's key says, and what is no stamp."""

import time
import uuid

import pytest

from messaging.stamp import SIZE, is_one_run, sent_times, stamps, unpack, words

RUN = uuid.uuid4().bytes


def test_a_stamp_holds_run_number_and_time_in_32_bytes():
    before = time.time_ns() // 1000
    key = stamps(RUN, range(7, 8))[0]
    run, number, sent = unpack(key)

    assert (len(key), SIZE) == (32, 32)
    assert (run, number) == (RUN, 7)
    assert before <= sent <= time.time_ns() // 1000
    assert key == RUN + (7).to_bytes(8, "big") + sent.to_bytes(8, "big")


def test_a_whole_column_at_once():
    keys = stamps(RUN, range(1000))
    row = words(keys)

    assert list(row[2::4]) == list(range(1000))
    assert list(row[3::4]) == sent_times(keys) == [unpack(key)[2] for key in keys]


def test_whether_a_column_is_of_one_run():
    mine, other = stamps(RUN, range(2)), stamps(uuid.uuid4().bytes, range(2))

    assert is_one_run(words(mine))
    assert not is_one_run(words(mine + other))


FOREIGN = [None, b"", b"user-42", b"x" * 31, b"x" * 33, b"x" * 32, bytes(32)]


@pytest.mark.parametrize("foreign", FOREIGN)
def test_a_foreign_key_has_no_time_and_does_not_spoil_the_others(foreign):
    mine = stamps(RUN, range(2))

    assert list(sent_times([mine[0], foreign, mine[1]])) == [unpack(mine[0])[2], None, unpack(mine[1])[2]]
    assert list(sent_times([foreign])) == [None]
    assert words([mine[0], foreign]) is None


def test_keys_of_other_lengths_that_add_up_to_stamps_are_none():
    assert list(sent_times([b"x" * 31, b"x" * 33])) == [None, None]


def test_unpacking_a_foreign_key_is_an_error():
    with pytest.raises(ValueError, match="not a stamp"):
        unpack(b"x" * 32)
