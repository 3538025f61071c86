"""Run, number and size determine a payload, so every process computes the same one.

Payloads differ from each other and do not compress.
"""

import uuid
import zlib

import pytest
from hypothesis import given
from hypothesis import strategies as some

from messaging.runs.payload import LARGEST, OFFSETS, payloads

RUN = uuid.uuid4().bytes


def test_the_bytes_of_a_payload_are_fixed():
    assert payloads(bytes(16), range(2), 8) == [bytes.fromhex("e64e4fbc37aa5238"), bytes.fromhex("58c187cb62a823c7")]
    assert payloads(bytes(range(16)), [999_999], 4) == [bytes.fromhex("02411b80")]


@given(
    some.uuids(),
    some.lists(some.integers(0, 2**32 - 1), max_size=20),
    some.sampled_from([0, 1, 100, LARGEST]) | some.integers(0, LARGEST),
)
def test_a_payload_has_exactly_its_size_and_does_not_depend_on_its_neighbours(run, numbers, size):
    together = payloads(run.bytes, numbers, size)

    assert [len(payload) for payload in together] == [size] * len(numbers)
    assert together == [payloads(run.bytes, [number], size)[0] for number in numbers]


def test_a_smaller_payload_is_the_beginning_of_a_larger_one():
    (small,), (large,) = payloads(RUN, [7], 10), payloads(RUN, [7], 1000)
    assert large.startswith(small)


@pytest.mark.parametrize("size", [16, 100, 2_000_000])
def test_consecutive_payloads_differ(size):
    several = payloads(RUN, range(200 if size < 1000 else 3), size)
    assert len(set(several)) == len(several)


def test_no_two_of_two_million_payloads_are_the_same():
    assert len(set(payloads(RUN, range(OFFSETS), 8))) == OFFSETS


def test_two_runs_have_different_payloads():
    one, next_one = bytes(16), bytes(15) + b"\x01"
    assert not set(payloads(one, range(200), 100)) & set(payloads(next_one, range(200), 100))


@pytest.mark.parametrize(("count", "size"), [(200, 100), (200, 4000), (2, 500_000)])
def test_a_batch_does_not_compress(count, size):
    batch = b"".join(payloads(RUN, range(count), size))
    assert len(zlib.compress(batch)) > 0.99 * len(batch)


@pytest.mark.parametrize("size", [-1, LARGEST + 1])
def test_a_size_out_of_range_is_refused(size):
    with pytest.raises(ValueError, match="a payload has 0 to 2097152 bytes"):
        payloads(RUN, [0], size)
