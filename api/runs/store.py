"""The store of runs. A thread reads the journal into the catalog; requests look things up, wait for changes and write.

Every API process reads the whole journal, so each one knows every run, also after all of them were restarted.
"""

import os
import socket
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from typing import Protocol
from uuid import UUID, uuid4

from api.problems import Problem, no_kafka
from api.runs.catalog import Catalog
from api.runs.model import Run, RunSummary, RunView
from messaging.journal.records import ACCEPTED, STOP, Record, encode_request, encode_stop, record_key
from messaging.runs.request import Request

KAFKA_SECONDS = 4
"""How long a request waits for Kafka."""

BEHIND_SECONDS = 1
"""How far the reading of one API process may lag behind that of another."""

RETRY_SECONDS = 2
"""Between two attempts to connect in the background."""


class Journal(Protocol):
    """`api.runs.journal.Journal`, as far as it is used here. Each method raises Problem 503."""

    def start(self, apply: Callable[[Record], None]) -> None: ...
    def wait_until_read(self) -> None: ...
    def write(self, key: bytes, value: bytes | None, wait: bool = False) -> None: ...


@dataclass(frozen=True)
class Acceptance:
    """A run on record, and the token of one request for it."""

    run: Run
    token: str

    @property
    def is_first(self) -> bool:
        """True if that request came first, so that it has to hand the run over."""
        return self.run.accepted_by == self.token


class Store:
    """The runs of one API process, safe for threads. Connects with `warm_up`, or when it is first asked.

    A method that needs Kafka raises Problem 503 if it does not answer in time.
    """

    def __init__(self, journal: Journal, runs_kept: int, stalled_after: float):
        self._journal = journal
        self._stalled_after = stalled_after
        self._catalog = Catalog(runs_kept)
        self._changed = threading.Condition()
        self._starting = threading.Lock()
        self._started = False
        self._process = f"{socket.gethostname()}:{os.getpid()}"

    def warm_up(self) -> None:
        """Begin to connect and read in the background, so that the first request need not wait for it."""
        threading.Thread(target=self._warm_up, name="warm up", daemon=True).start()

    def _warm_up(self) -> None:
        while True:
            try:
                return self._ready()
            except Problem:
                time.sleep(RETRY_SECONDS)

    # -- reading

    def get(self, run_id: UUID) -> Run:
        """Raises Problem 404 if there is no such run."""
        run = self.find(run_id)
        if run is None:  # another API process may have accepted it a moment ago
            run = self._wait_for(run_id, BEHIND_SECONDS)
        if run is None:
            raise Problem(404, f"There is no run {run_id}; GET /runs lists the runs there are.")
        return run

    def find(self, run_id: UUID) -> Run | None:
        self._ready()
        with self._changed:
            return self._catalog.get(run_id)

    def newest(self, limit: int, before: UUID | None) -> list[RunSummary]:
        """Return the newest runs, or the newest of those accepted before run `before`. Raises Problem 404."""
        self._ready()
        with self._changed:
            try:
                runs = self._catalog.newest(limit, before)
            except KeyError:
                raise Problem(404, f"There is no run {before} to continue from; start again with GET /runs.") from None
            return [run.summary(now(), self._stalled_after) for run in runs]

    def summary(self, run: Run) -> RunSummary:
        with self._changed:
            return run.summary(now(), self._stalled_after)

    def view(self, run: Run) -> RunView:
        with self._changed:
            return run.view(now(), self._stalled_after)

    def unfinished(self) -> int:
        """Count the runs that are not over and not stalled."""
        with self._changed:
            return self._catalog.unfinished(now(), self._stalled_after)

    def wait_for_change(self, run: Run, version: int, seconds: float) -> bool:
        """Wait for a newer record of the run than `version`; return False if none comes in time."""
        with self._changed:
            return self._changed.wait_for(lambda: run.version > version, seconds)

    # -- writing

    def accept(self, request: Request) -> Acceptance:
        """Put a run on record and wait until it is read back: the first request with this id wins, everywhere."""
        token = self.note(request)
        run = self._wait_for(request.run, KAFKA_SECONDS)
        if run is None:
            raise no_kafka("its record of the run has not come back")
        acceptance = Acceptance(run, token)
        if not acceptance.is_first:
            self.withdraw(request.run, token)
        return acceptance

    def note(self, request: Request) -> str:
        """Put a run on record without waiting for it; return a token, for `withdraw`."""
        token = f"{self._process}/{uuid4()}"
        self._write(record_key(request.run, ACCEPTED, token), encode_request(request))
        return token

    def withdraw(self, run_id: UUID, token: str) -> None:
        """Take a record back: of a run that could not be handed over, or that another request asked for first."""
        self._write(record_key(run_id, ACCEPTED, token), None)

    def stop(self, run: Run) -> None:
        """Have the sending of a run end. Waits until Kafka has acknowledged that."""
        self._write(record_key(run.id, STOP), encode_stop(now()), wait=True)

    def revoke(self, run_id: UUID) -> None:
        """Have a service send nothing of a run, if its failed call gets there after all."""
        with suppress(Problem):  # without Kafka the service cannot send anything either
            self._write(record_key(run_id, STOP), encode_stop(now()))

    def _write(self, key: bytes, value: bytes | None, wait: bool = False) -> None:
        self._ready()
        self._journal.write(key, value, wait)

    def _ready(self) -> None:
        if not self._starting.acquire(timeout=KAFKA_SECONDS):
            raise no_kafka("still connecting")
        try:
            if not self._started:
                self._journal.start(self._apply)
                self._started = True
        finally:
            self._starting.release()
        self._journal.wait_until_read()

    def _wait_for(self, run_id: UUID, seconds: float) -> Run | None:
        with self._changed:
            self._changed.wait_for(lambda: self._catalog.get(run_id) is not None, seconds)
            return self._catalog.get(run_id)

    def _apply(self, record: Record) -> None:
        with self._changed:
            self._catalog.apply(record)
            self._changed.notify_all()


def now() -> int:
    """Return the time in microseconds since the epoch."""
    return time.time_ns() // 1000
