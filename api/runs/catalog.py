"""The newest runs, as one API process knows them. Pure, and not safe for threads."""

from collections.abc import Callable, Mapping
from uuid import UUID

from api.runs.history import History
from api.runs.model import Manner, Run
from api.runs.totals import RunTotals, TotalsKeeper
from messaging.journal.requests import RequestRecord, decode
from messaging.journal.states import State, decode_state
from messaging.journal.tail import foreign_records_logged


class Catalog:
    """Takes the records of all runs and keeps the `kept` newest runs. It keeps only the ids of older runs."""

    def __init__(self, kept: int, keeper: TotalsKeeper | None = None, manner: Manner | None = None):
        self._kept = kept
        self._manner = manner or Manner()
        self._keeper = keeper or TotalsKeeper()
        self._runs: dict[UUID, Run] = {}
        self._strangers: dict[UUID, Run] = {}
        """Runs that have records, but no record with their request yet."""
        self._dropped: set[bytes] = set()

    def apply_request(self, record: RequestRecord) -> Run | None:
        """Take in a record of topic `run-requests`. Return its run, or None if the run was dropped."""
        return self._apply(record.run, lambda run: run.apply_request(record))

    def apply_state(self, run_id: UUID, stage: str, key: str, state: State, offset: int) -> Run | None:
        """Take in a record of topic `run-states`. Return its run, or None if the run was dropped."""
        return self._apply(run_id, lambda run: run.apply_state(stage, key, state, offset))

    def _apply(self, run_id: UUID, change: Callable[[Run], None]) -> Run | None:
        if run_id.bytes in self._dropped:
            return None
        run = self._runs.get(run_id) or self._strangers.setdefault(run_id, Run(run_id, manner=self._manner))
        change(run)
        if run.asked and run.id in self._strangers:
            self._runs[run.id] = self._strangers.pop(run.id)
        if run.id in self._runs:
            self._keeper.change(run)
        if len(self._runs) > self._kept:
            self._drop(next(iter(self._runs.values())))  # the run whose request this process has read first
        if len(self._strangers) > self._kept:
            del self._strangers[next(iter(self._strangers))]
        return run

    def take_history(self, history: History) -> None:
        """Take in the requests that were on record when this process started."""
        self._dropped |= history.dropped
        for _, offset, key, value in history.records():
            with foreign_records_logged("run-requests", offset):
                self.apply_request(decode(key, value, offset))
        self._keeper.begin(self.oldest, bool(history.dropped))

    def take_states(self, newest: Mapping[bytes, tuple[int, bytes]]) -> None:
        """Take in the states that were on record when this process started.

        For each key, `newest` contains the offset and the value of the newest record.
        """
        for key, (offset, value) in sorted(newest.items(), key=lambda item: item[1][0]):
            with foreign_records_logged("run-states", offset):
                self.apply_state(*decode_state(key, value), offset)

    def _drop(self, run: Run) -> None:
        self._keeper.drop(run)
        del self._runs[run.id]
        self._dropped.add(run.id.bytes)

    def get(self, run_id: UUID) -> Run | None:
        return self._runs.get(run_id)

    def is_dropped(self, run_id: UUID) -> bool:
        """Return True if there was such a run, and newer runs have replaced it."""
        return run_id.bytes in self._dropped

    @property
    def oldest(self) -> int | None:
        """The creation time of the oldest run, in microseconds since the epoch. It is None if there are no runs."""
        return min(map(_created, self._runs.values()), default=None)

    def newest(self, limit: int, before: UUID | None = None) -> list[Run]:
        """Return at most `limit` runs, the newest first. With `before`, return only runs that are older than that run.

        Raises KeyError if run `before` is unknown.
        """
        runs = sorted(self._runs.values(), key=_created, reverse=True)
        if before is not None:
            following = runs.index(self._runs[before]) + 1
            runs = runs[following:]
        return runs[:limit]

    def unfinished(self, now: int, stalled_after: float) -> int:
        """Count the runs that are not over.

        Stalled runs count only if they have not begun. If the call of a stalled run is only in RabbitMQ's memory, the
        run does not count, because RabbitMQ may have lost the call.
        """
        return sum(
            not run.is_over and (not run.is_stalled(now, stalled_after) or _waits(run)) for run in self._runs.values()
        )

    def totals(self, now: int, stalled_after: float) -> RunTotals:
        """Return the totals of all runs."""
        return self._keeper.totals(self.stalled(now, stalled_after))

    def stalled(self, now: int, seconds: float) -> list[Run]:
        """Return the runs that are not over, and have not changed for `seconds`."""
        return [run for run in self._runs.values() if run.is_stalled(now, seconds)]


def _created(run: Run) -> int:
    return run.request.created


def _waits(run: Run) -> bool:
    return not run.has_begun and (run.standing.on_disk or not run.standing.queued)
