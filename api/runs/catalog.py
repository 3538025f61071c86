"""The runs that one API process knows, the newest ones. Pure, and not safe for threads."""

from uuid import UUID

from api.runs.model import Run
from messaging.journal.records import Record


class Catalog:
    """Takes the records of all runs and keeps the `kept` newest runs."""

    def __init__(self, kept: int):
        self._kept = kept
        self._runs: dict[UUID, Run] = {}
        self._strangers: dict[UUID, Run] = {}
        """Runs with records of a stage, but with none yet that has their request."""

    def apply(self, record: Record) -> None:
        run = self._runs.get(record.run) or self._strangers.setdefault(record.run, Run(record.run))
        run.apply(record)
        if run.withdrawn:
            self._runs.pop(run.id, None)
        elif run.asked and run.id in self._strangers:
            self._runs[run.id] = self._strangers.pop(run.id)
        if len(self._runs) > self._kept:
            del self._runs[min(self._runs.values(), key=_created).id]
        if len(self._strangers) > self._kept:
            del self._strangers[next(iter(self._strangers))]

    def get(self, run_id: UUID) -> Run | None:
        return self._runs.get(run_id)

    def newest(self, limit: int, before: UUID | None = None) -> list[Run]:
        """Return the newest runs, or the newest that are older than run `before`. Raises KeyError if it is unknown."""
        runs = sorted(self._runs.values(), key=_created, reverse=True)
        if before is not None:
            following = runs.index(self._runs[before]) + 1
            runs = runs[following:]
        return runs[:limit]

    def unfinished(self, now: int, stalled_after: float) -> int:
        """Count the runs that are not over and not stalled."""
        return sum(not run.is_over and not run.is_stalled(now, stalled_after) for run in self._runs.values())


def _created(run: Run) -> int:
    return run.request.created
