"""The payload of a message is its Kafka value. Run, number and size determine its bytes, so anyone can check it.

It is a slice of a fixed pool of 4 MiB: SHAKE-128 of `SEED`. The pool looks random, because zeros would compress too
well. The slice begins at (base + number * STRIDE) modulo OFFSETS. The base is the first 4 bytes of the SHA-256 of the
run's id, big-endian.
"""

from collections.abc import Sequence
from functools import cache
from hashlib import sha256, shake_128

SEED = b"nameko-kafka-poc"

OFFSETS = 2**21
"""How many different offsets there are."""

LARGEST = 2**21
"""The largest payload, in bytes."""

STRIDE = 1_296_125
"""About OFFSETS divided by the golden ratio. Consecutive slices are far apart, so together they do not compress."""


def payloads(run_id: bytes, numbers: Sequence[int], size: int) -> list[bytes]:
    """Return one payload of `size` bytes for each of these sequence numbers of a run."""
    if not 0 <= size <= LARGEST:
        raise ValueError(f"a payload has 0 to {LARGEST} bytes, not {size}")
    pool, start = _pool(), int.from_bytes(sha256(run_id).digest()[:4], "big")
    offsets = [(start + number * STRIDE) % OFFSETS for number in numbers]
    return [pool[offset : offset + size] for offset in offsets]


@cache
def _pool() -> bytes:
    return shake_128(SEED).digest(OFFSETS + LARGEST)
