"""The supervisor restarts a service that ends by itself, and gives up if it never gets ready."""

from dataclasses import dataclass

import pytest

from local import LocalError
from local.supervisor import ATTEMPTS, RESTART_SECONDS, Supervisor


@dataclass
class FakeProcess:
    pid: int
    exit_code: int | None = None

    def last_words(self) -> str:
        return f"the last words of {self.pid}"


class Watched:
    """A supervisor, with the processes that it has started and the lines that it has printed."""

    def __init__(self):
        self.started: list[FakeProcess] = []
        self.said: list[str] = []
        self.ready = False
        self.now = 0.0
        self.supervisor = Supervisor("ping", self._launch, lambda: self.ready, self.said.append, lambda: self.now)
        self.supervisor.start()

    def _launch(self) -> FakeProcess:
        self.ready = False
        self.started.append(FakeProcess(len(self.started) + 1))
        return self.started[-1]

    def end(self, exit_code: int) -> None:
        """End the newest process, and let the time pass until the next start."""
        self.started[-1].exit_code = exit_code
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


@pytest.mark.parametrize(("code", "how"), [(0, "with exit code 0"), (-9, "by signal 9")])
def test_a_service_that_ends_is_started_again_after_a_second(code, how):
    watched = Watched()
    watched.get_ready()
    watched.started[0].exit_code = code
    watched.supervisor.watch()
    watched.now = RESTART_SECONDS - 0.1
    watched.supervisor.watch()

    assert (len(watched.started), watched.supervisor.process) == (1, None)
    assert watched.said[-1] == f"ping ended by itself, {how}. It is started again in 1 s."

    watched.now = RESTART_SECONDS
    watched.supervisor.watch()

    assert len(watched.started) == 2
    assert watched.said[-1] == "  ping, process 2"


def test_a_service_that_never_gets_ready_is_given_up_with_its_last_words():
    watched = Watched()
    for _ in range(ATTEMPTS - 1):
        watched.end(1)
    watched.started[-1].exit_code = 2

    reason = "ping ended 3 times before it was ready, .* it ended with exit code 2: the last words of 3"
    with pytest.raises(LocalError, match=reason):
        watched.supervisor.watch()
    assert len(watched.started) == ATTEMPTS


def test_only_failures_in_a_row_count():
    watched = Watched()
    for _ in range(5):
        watched.end(1)
        watched.end(1)
        watched.get_ready()
        watched.end(1)

    assert len(watched.started) == 16


def test_a_service_that_got_ready_and_ended_between_two_checks_counts_as_ready():
    watched = Watched()
    for _ in range(ATTEMPTS):
        watched.ready = True
        watched.end(1)

    assert len(watched.started) == ATTEMPTS + 1
