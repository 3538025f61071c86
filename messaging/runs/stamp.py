"""The stamp is the Kafka key of a message: its run, its number in the run, and when it was first sent.

32 bytes: run id (16, a UUID), sequence number (8, big-endian, from 0), time first sent (8, big-endian, microseconds
since the epoch). In a paced run, this time is when the message was due. The stamp is the key and not a header, because
kafka-python is clearly slower with headers.
"""

import struct
import time
from collections.abc import Sequence
from itertools import repeat
from typing import cast

_STAMP = struct.Struct(">16sQQ")
SIZE = _STAMP.size

LARGEST_NUMBER = 2**32 - 1
"""The largest number that a roaring bitmap holds."""

# A key of another producer may have 32 bytes too. Then its number or time is almost certainly outside these bounds.
_EARLIEST = 1_577_836_800_000_000  # 2020, in microseconds since the epoch
_CLOCK_SKEW = 3_600_000_000  # an hour ahead of this machine's clock, in microseconds


def stamps(run_id: bytes, numbers: Sequence[int], times: Sequence[int] | None = None) -> list[bytes]:
    """Return a key for each sequence number of a run. `times` says when each was first sent, by default now."""
    pack, clock = _STAMP.pack, time.time_ns
    if times is not None:
        return list(map(pack, repeat(run_id), numbers, times))
    return [pack(run_id, number, clock() // 1000) for number in numbers]


def unpack(key: bytes) -> tuple[bytes, int, int]:
    """Return run id, sequence number and time first sent (microseconds since the epoch). Raises ValueError."""
    if words([key]) is None:
        raise ValueError(f"not a stamp: {key!r}")
    return cast(tuple[bytes, int, int], _STAMP.unpack(key))


def words(keys: Sequence[bytes | None]) -> tuple[int, ...] | None:
    """Return all stamps as one row of numbers, four each: the run id's two halves, sequence number, time first sent.

    Return None if any key is not a stamp. All keys are unpacked together, because that is faster than one by one.
    """
    if None in keys or set(map(len, cast(Sequence[bytes], keys))) != {SIZE}:
        return None
    row = struct.unpack(f">{len(keys) * 4}Q", b"".join(cast(Sequence[bytes], keys)))
    times = row[3::4]
    latest = time.time_ns() // 1000 + _CLOCK_SKEW
    return row if min(times) >= _EARLIEST and max(times) <= latest and max(row[2::4]) <= LARGEST_NUMBER else None


def is_one_run(row: tuple[int, ...]) -> bool:
    """Return True if all stamps of a row from `words` belong to the same run."""
    return row[0::4].count(row[0]) == row[1::4].count(row[1]) == len(row) // 4


def sent_times(keys: Sequence[bytes | None]) -> list[int | None]:
    """Return when each message was first sent, in microseconds since the epoch; None for a key that is no stamp."""
    latest = time.time_ns() // 1000 + _CLOCK_SKEW
    return [_sent_time(key, latest) for key in keys]


def _sent_time(key: bytes | None, latest: int) -> int | None:
    if key is None or len(key) != SIZE:
        return None
    _, number, sent = cast(tuple[bytes, int, int], _STAMP.unpack(key))
    return sent if number <= LARGEST_NUMBER and _EARLIEST <= sent <= latest else None
