"""The records of topic `run-requests` from before this process started.

There may be very many records, but only the records of the newest runs are needed. So all records are read first, and
only the needed records are decoded.
"""

from messaging.clients.protocols import Partition

Raw = tuple[Partition, int, bytes | None, bytes | None]
"""Partition, offset, key and value of a record."""

ID_LENGTH = 36


class History:
    """Keeps the records of the `kept` newest runs, and the ids of all other runs. Pure."""

    def __init__(self, kept: int):
        self._kept = kept
        self._records: dict[bytes, list[Raw]] = {}
        self.dropped: set[bytes] = set()
        """The ids of the runs that are not kept, 16 bytes each."""

    def add(self, raw: Raw) -> None:
        """Take in a record. Raises ValueError if its key does not begin with the id of a run."""
        key = raw[2] or b""
        run_id = key[:ID_LENGTH]
        if run_id in self._records:
            self._records[run_id].append(raw)
            return
        if _compact(run_id) in self.dropped:
            return
        self._records[run_id] = [raw]
        if len(self._records) > self._kept:
            oldest = next(iter(self._records))
            del self._records[oldest]
            self.dropped.add(_compact(oldest))

    def records(self) -> list[Raw]:
        """Return the records of the kept runs, ordered by offset."""
        return sorted((raw for records in self._records.values() for raw in records), key=lambda raw: raw[1])


def _compact(run_id: bytes) -> bytes:
    compact = bytes.fromhex(run_id.decode().replace("-", ""))
    if len(compact) != 16:
        raise ValueError(f"not the id of a run: {run_id!r}")
    return compact
