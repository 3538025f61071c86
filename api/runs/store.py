"""The store of runs.

Threads read the journal into the catalog. HTTP requests look up runs, wait for changes and write records. Every API
process reads the journal, so each process knows the newest runs, even after all processes have restarted.
"""

import os
import socket
import threading
import time
from collections.abc import Callable
from uuid import UUID, uuid4

from api.problems import Problem, no_kafka
from api.runs.catalog import Catalog
from api.runs.clock import now as now
from api.runs.history import History
from api.runs.journal import KAFKA_SECONDS, Journal
from api.runs.model import Run
from api.runs.totals import RunTotals
from api.runs.view import RunSummary, RunView, Stall
from messaging.clients.protocols import Delivery, Partition
from messaging.journal.requests import decode
from messaging.journal.requests_writer import RequestsWriter
from messaging.journal.states import decode_state, parse_key
from messaging.runs.request import Request

BEHIND_SECONDS = 1
"""How long `get` waits for an unknown run, in seconds. Another API process may already know this run."""

RETRY_SECONDS = 2
"""The pause between two attempts to connect in the background, in seconds."""


class Store:
    """The runs that one API process knows. Several threads can use one store.

    The store connects to Kafka in `warm_up`, or in the first method that needs Kafka. A method that needs Kafka raises
    Problem 503 if Kafka does not answer in time.
    """

    def __init__(self, journal: Journal, runs_kept: int, stalled_after: float, catalog: Catalog | None = None):
        self._journal = journal
        self._stalled_after = stalled_after
        self._catalog = catalog or Catalog(runs_kept)
        self._history: History | None = History(runs_kept)
        self._newest_states: dict[bytes, tuple[int, bytes]] | None = {}  # by key; None when all states were read
        self._changed = threading.Condition()
        self._starting = threading.Lock()
        self._started = False
        self._process = f"{socket.gethostname()}:{os.getpid()}"

    def warm_up(self) -> None:
        """Start a thread that connects and reads the journal. Otherwise the first request would do this work."""
        threading.Thread(target=self._warm_up, name="warm up", daemon=True).start()

    def _warm_up(self) -> None:
        while True:
            try:
                return self._ready()
            except Problem:
                time.sleep(RETRY_SECONDS)

    def get(self, run_id: UUID) -> Run:
        """Raises Problem 404 if there is no such run."""
        run = self.find(run_id)
        if run is None:  # another API process may have accepted it a moment ago
            run = self._wait_for(run_id, lambda run: True, BEHIND_SECONDS)
        if run is None:
            raise Problem(404, f"There is no run {run_id}; GET /runs lists the known runs.", run_id)
        return run

    def find(self, run_id: UUID) -> Run | None:
        """Return the run. None if it does not exist, or is too old to be kept."""
        self._ready()
        with self._changed:
            return self._catalog.get(run_id)

    def is_dropped(self, run_id: UUID) -> bool:
        """Return True if the run existed, but is too old to be kept."""
        self._ready()
        with self._changed:
            return self._catalog.is_dropped(run_id)

    def keeps(self, run: Run) -> bool:
        """Return False if newer runs have replaced this run in the catalog. Such a run does not change any more."""
        with self._changed:
            return self._catalog.get(run.id) is run

    def newest(self, limit: int, before: UUID | None) -> list[RunSummary]:
        """Return the newest runs. If `before` is given, skip run `before` and all newer runs. Raises Problem 404."""
        self._ready()
        with self._changed:
            try:
                runs = self._catalog.newest(limit, before)
            except KeyError:
                detail = f"There is no run {before} to continue from; start again with GET /runs."
                raise Problem(404, detail, before) from None
            return [run.summary(now(), self._stalled_after) for run in runs]

    def summary(self, run: Run) -> RunSummary:
        with self._changed:
            return run.summary(now(), self._stalled_after)

    def view(self, run: Run) -> RunView:
        with self._changed:
            return run.view(now(), self._stalled_after)

    def unfinished(self) -> int:
        """Return how many runs make progress or wait to begin."""
        with self._changed:
            return self._catalog.unfinished(now(), self._stalled_after)

    def stalled(self) -> list[Stall]:
        """Return the runs that are not over, and have not changed for a while."""
        with self._changed:
            return [run.stall(now()) for run in self._catalog.stalled(now(), self._stalled_after)]

    def totals(self) -> RunTotals | None:
        """Return the totals of all runs. None until the runs were read."""
        with self._changed:
            is_read = self._newest_states is None
            return self._catalog.totals(now(), self._stalled_after) if is_read else None

    def wait_for_change(self, run: Run, version: int, seconds: float) -> bool:
        """Wait until the run has a version above `version`. Return False if that takes too long."""
        with self._changed:
            return self._changed.wait_for(lambda: run.version > version, seconds)

    def wait_until_under_way(self, run: Run, seconds: float) -> bool:
        """Wait until the run is on record as queued, claimed or over. Return False if that takes too long."""
        with self._changed:
            return self._changed.wait_for(lambda: run.standing.under_way or run.is_over, seconds)

    def catch_up(self) -> None:
        """Wait until all current records were read."""
        self._journal.catch_up()

    def accept(self, request: Request) -> tuple[Run, bool]:
        """Put a run on record and wait until this process has read the record.

        If several requests have one id, all processes agree on which one was first. Return the run, and True if this
        request was the first.
        """
        token = self.note(request)
        run = self._wait_for(request.run, lambda run: run.standing.accepted_by is not None, KAFKA_SECONDS)
        if run is None:
            raise no_kafka("the record of the run has not come back")
        return run, run.standing.accepted_by == token

    def note(self, request: Request) -> str:
        """Write that a run was accepted. Return the request's token. Does not wait for Kafka's acknowledgement."""
        token = f"{self._process}/{uuid4()}"
        self._write(lambda writer: writer.accept(request, token))
        return token

    def note_queued(self, run_id: UUID, on_disk: bool = True) -> None:
        """Write that RabbitMQ has the call. Does not wait for Kafka's acknowledgement."""
        self._write(lambda writer: writer.queued(run_id, on_disk))

    def fail(self, run_id: UUID, reason: str) -> None:
        """Write that a run could not be queued. Readers ignore this record after a QUEUED or CLAIM record."""
        self._write(lambda writer: writer.failed(run_id, reason))

    def give_up(self, run_id: UUID, reason: str) -> None:
        """Write that a run will not be completed, because messages are missing or because the call was lost."""
        self._write(lambda writer: writer.incomplete(run_id, reason))

    def stop(self, run: Run) -> None:
        """Put on record that the sending of a run must stop. Waits for Kafka's acknowledgement."""
        self._write(lambda writer: writer.stop(run.id), wait=True)

    def _write(self, record: Callable[[RequestsWriter], Delivery], wait: bool = False) -> None:
        self._ready()
        self._journal.write(record, wait)

    def _ready(self) -> None:
        if not self._starting.acquire(timeout=KAFKA_SECONDS):
            raise no_kafka("still connecting")
        try:
            if not self._started:
                self._journal.start(self._apply_request)
                self._started = True
            if self._history is not None:
                self._journal.wait_until_requests_read()
                self._journal.start_states(self._open_catalog() // 1000, self._apply_state)
            if self._newest_states is not None:
                self._journal.wait_until_states_read()
                self._take_states()
        finally:
            self._starting.release()

    def _open_catalog(self) -> int:
        """Take in the history. Return the time when the oldest kept run was created."""
        with self._changed:
            history, self._history = self._history, None
            if history is not None:
                self._catalog.take_history(history)
            return self._catalog.oldest or now()

    def _take_states(self) -> None:
        """Decode the states that were read at the start. Only the newest state of each key counts."""
        with self._changed:
            states, self._newest_states = self._newest_states, None
            self._catalog.take_states(states or {})

    def _wait_for(self, run_id: UUID, condition: Callable[[Run], bool], seconds: float) -> Run | None:
        def found() -> bool:
            run = self._catalog.get(run_id)
            return run is not None and condition(run)

        with self._changed:
            return self._catalog.get(run_id) if self._changed.wait_for(found, seconds) else None

    def _apply_request(self, partition: Partition, offset: int, key: bytes | None, value: bytes | None) -> None:
        with self._changed:
            if self._history is not None:
                self._history.add((partition, offset, key, value))
                return
            self._catalog.apply_request(decode(key, value, offset))
            self._changed.notify_all()

    def _apply_state(self, partition: Partition, offset: int, key: bytes | None, value: bytes | None) -> None:
        run_id, _, _ = parse_key(key)
        if key is None or value is None or self._catalog.is_dropped(run_id):
            return
        with self._changed:
            if self._newest_states is not None:
                self._newest_states[key] = offset, value
                return
        decoded = decode_state(key, value)
        with self._changed:
            self._catalog.apply_state(*decoded, offset)
            self._changed.notify_all()
