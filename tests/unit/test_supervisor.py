"""The supervisor restarts a process that ends by itself. It gives up if the process never becomes ready."""

import sys
from dataclasses import dataclass

import pytest

from local import LocalError
from local.processes import Process
from local.supervisor import ATTEMPTS, RESTART_SECONDS, Supervisor
from local.waiting import wait_until


@dataclass
class FakeProcess:
    pid: int
    how: str | None = None

    def ending(self) -> str | None:
        return self.how

    def last_words(self) -> str:
        return f"the last words of {self.pid}"


class Watched:
    """A supervisor, with the processes that it has started and the lines that it has printed."""

    def __init__(self):
        self.started: list[FakeProcess] = []
        self.said: list[str] = []
        self.ready = False
        self.can_start = True
        self.now = 0.0
        self.supervisor = Supervisor("ping", self._launch, lambda: self.ready, self.said.append, lambda: self.now)
        self.supervisor.start()

    def _launch(self) -> FakeProcess | None:
        if not self.can_start:
            return None
        self.ready = False
        self.started.append(FakeProcess(len(self.started) + 1))
        return self.started[-1]

    def end(self) -> None:
        """End the newest process, and let the time pass until the next start."""
        self.started[-1].how = "with exit code 1"
        self.supervisor.watch()
        self.now += RESTART_SECONDS
        self.supervisor.watch()

    def get_ready(self) -> None:
        self.ready = True
        self.supervisor.watch()


def test_a_service_that_runs_is_not_restarted():
    watched = Watched()
    watched.get_ready()
    watched.supervisor.watch()

    assert len(watched.started) == 1
    assert watched.said == ["  ping, process 1"]


def test_a_service_that_ends_is_started_again_after_a_second():
    watched = Watched()
    watched.get_ready()
    watched.started[0].how = "by signal 9"
    watched.supervisor.watch()
    watched.now = RESTART_SECONDS - 0.1
    watched.supervisor.watch()

    assert (len(watched.started), watched.supervisor.process) == (1, None)
    assert watched.said[-1] == "ping ended by itself, by signal 9. It will be started again."

    watched.now = RESTART_SECONDS
    watched.supervisor.watch()

    assert len(watched.started) == 2
    assert watched.said[-1] == "  ping, process 2"


def test_a_service_that_never_gets_ready_is_given_up_with_its_last_words():
    watched = Watched()
    for _ in range(ATTEMPTS - 1):
        watched.end()
    watched.started[-1].how = "with exit code 2"

    reason = "ping ended 3 times before it was ready, .* it ended with exit code 2: the last words of 3"
    with pytest.raises(LocalError, match=reason):
        watched.supervisor.watch()
    assert len(watched.started) == ATTEMPTS


def test_only_consecutive_failures_count():
    watched = Watched()
    for _ in range(5):
        watched.end()
        watched.end()
        watched.get_ready()
        watched.end()

    assert len(watched.started) == 16


def test_a_service_that_got_ready_and_ended_between_two_checks_counts_as_ready():
    watched = Watched()
    for _ in range(ATTEMPTS):
        watched.ready = True
        watched.end()

    assert len(watched.started) == ATTEMPTS + 1


def test_a_process_that_cannot_start_yet_is_started_as_soon_as_it_can():
    watched = Watched()
    watched.get_ready()
    watched.can_start = False
    watched.end()
    watched.supervisor.watch()
    assert len(watched.started) == 1

    watched.can_start = True
    watched.supervisor.watch()
    assert len(watched.started) == 2


@pytest.mark.parametrize(("code", "how"), [("pass", "with exit code 0"), ("os.kill(os.getpid(), 9)", "by signal 9")])
def test_a_process_says_how_it_ended(code, how, tmp_path):
    process = Process([sys.executable, "-c", f"import os; {code}"], {}, tmp_path / "log")

    assert wait_until(process.ending, 10) == how
