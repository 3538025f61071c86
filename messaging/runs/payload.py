"""Payloads of one size, cut from random bytes that are made once. Random, because compression would flatter zeros."""

import os
from functools import cache

POOL_BYTES = 4 * 2**20
"""Room for the largest message, and for a block of smaller ones."""


class Payloads:
    """Cuts payloads of `size` bytes; consecutive ones differ."""

    def __init__(self, size: int):
        self._size = size
        self._pool = _pool(max(POOL_BYTES, size + 1))
        self._at = 0

    def cut(self, count: int) -> list[bytes]:
        """Return the next `count` payloads."""
        pool, size, step = self._pool, self._size, self._size + 1
        if self._at + count * step > len(pool):
            self._at = 0
        starts = range(self._at, self._at + count * step, step)
        self._at = starts.stop
        return [pool[start : start + size] for start in starts]


@cache
def _pool(size: int) -> bytes:
    return os.urandom(size)
