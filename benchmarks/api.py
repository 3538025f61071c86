"""Runs the real API (gunicorn with api/gunicorn.conf.py), and measures how long requests take."""

import time
import urllib.request
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path

from benchmarks import BenchmarkError
from benchmarks.processes import running
from local import ROOT
from local.ports import HOST, free_port
from local.processes import Process
from local.services import API, api_address
from local.waiting import wait_until

ANSWER_SECONDS = 300


class Api:
    """A running API. Each request opens a new connection, like curl."""

    def __init__(self, process: Process, url: str):
        self.process = process
        self._url = url

    @classmethod
    @contextmanager
    def running(cls, log: Path, *, exits_well: bool = True, folder: Path = ROOT) -> Iterator["Api"]:
        """Run the API on a free port; see `processes.running`."""
        port = free_port()
        settings = {"REQUEST_TIMEOUT": str(ANSWER_SECONDS), **api_address(port)}
        with running(log, API, exits_well=exits_well, folder=folder, **settings) as process:
            yield cls(process, f"http://{HOST}:{port}")

    def get(self, path: str) -> float:
        """Request the path and return the response time in seconds. Raises BenchmarkError if the request fails."""
        started = time.perf_counter()
        try:
            with urllib.request.urlopen(self._url + path, timeout=ANSWER_SECONDS) as response:
                response.read()
        except OSError as error:
            raise BenchmarkError(f"{path}: {error}") from None
        return time.perf_counter() - started

    def answers(self, path: str) -> bool:
        """Request the path. Return True if that succeeds."""
        with suppress(BenchmarkError):
            self.get(path)
            return True
        return False

    def wait(self, path: str, seconds: float = 60) -> None:
        """Request the path until that succeeds. Raises BenchmarkError if no request succeeds in time."""
        if not wait_until(lambda: self.answers(path), seconds, 0.1):
            self.get(path)  # raises an error that gives the reason

    @property
    def workers(self) -> Sequence[int]:
        """Process ids of gunicorn's workers."""
        pid = self.process.pid
        return [int(child) for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]
