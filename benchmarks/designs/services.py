"""Runs the services of a design as processes. Kills them, asks them to send, and reports their progress."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from uuid import UUID

from benchmarks import BenchmarkError
from benchmarks.observer import must
from benchmarks.processes import tail
from benchmarks.site import Site
from local.processes import Process
from local.services import environment


@dataclass(frozen=True)
class Progress:
    """The progress of a design's messages."""

    stages: Mapping[str, int]
    """How many messages each stage has seen."""
    over: bool
    """True if no message is left to send, answer or receive."""


class Services:
    """ping, pong and any other processes that a design needs."""

    def __init__(self, site: Site, commands: Mapping[str, Sequence[str]], settings: Mapping[str, str]):
        self.site = site
        self._commands = commands
        self._settings = settings
        self._running: dict[str, Process] = {}
        self._starts = 0

    def are_ready(self) -> bool:
        raise NotImplementedError

    def send(self, messages: int) -> UUID:
        """Ask ping to send. Return the run's id. The stamps of the messages contain this id."""
        raise NotImplementedError

    def progress(self) -> Progress:
        """Return the progress. Raises BenchmarkError if ping has given up before it sent all messages."""
        raise NotImplementedError

    def start(self) -> None:
        """Start all services and wait until they are ready. Raises BenchmarkError."""
        for name in self._commands:
            self._start(name)

        def are_ready() -> bool:
            self.check()
            return self.are_ready()

        must(are_ready, "the services are ready")

    def kill_and_restart(self, name: str) -> None:
        """End a service by SIGKILL, and start it again."""
        self._running[name].kill()
        self._start(name)

    @property
    def pids(self) -> Mapping[str, int]:
        """The process ids by name."""
        return {name: process.pid for name, process in self._running.items()}

    def check(self) -> None:
        """Raises BenchmarkError if a process has ended by itself."""
        for name, process in self._running.items():
            if not process.running and process.log_file:
                raise BenchmarkError(f"{name} ended by itself. Its log ends:\n{tail(process.log_file)}")

    def end(self) -> None:
        for process in self._running.values():
            process.ask_to_end()
        for process in self._running.values():
            process.await_end()

    def _start(self, name: str) -> None:
        self._starts += 1
        log = self.site.log(f"{name}-{self._starts}")
        self._running[name] = Process(self._commands[name], environment(self._settings), log)
