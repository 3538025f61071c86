"""One broker as a child process, with its own folder, port on loopback, pid file and log."""

import logging
import os
import signal
import socket
from pathlib import Path

from .. import LocalError
from ..ports import HOST, free_port, is_free
from ..processes import Process, freeze
from ..waiting import wait_until

START_SECONDS = 60
STOP_SECONDS = 10
# Each broker has this variable in its environment. It shows that the pid in a pid file still belongs to the broker.
# The pid file alone does not show that, because Linux may have given the pid to another program.
OWNER = "BROKER_DIRECTORY"

logger = logging.getLogger("brokers")


class Broker:
    """A process that answers on one port: on `wanted_port` if that is free, otherwise on any free port. 0 means any.

    When it is started again after `stop` or `kill`, it keeps its data, and its port if that is still free.
    """

    name: str

    def __init__(self, directory: Path, wanted_port: int = 0):
        self.directory = directory
        self.wanted_port = wanted_port
        self.log = directory / "log"
        self._pid_file = directory / "pid"
        self._child: Process | None = None
        self._pid, self.port = self._read_pid_file()

    def command(self) -> list[str]:
        """Write the configuration for `self.port` and return the command that starts the broker."""
        raise NotImplementedError

    def environment(self) -> dict[str, str]:
        return dict(os.environ)

    def answers(self) -> bool:
        """Return True if the broker says, in its own protocol, that it is ready. An OSError means that it is not."""
        raise NotImplementedError

    @property
    def address(self) -> str:
        return f"{HOST}:{self.port}"

    @property
    def pid(self) -> int | None:
        """The process id while the broker runs, no matter who started it. None if it does not run."""
        if self._child:
            return self._child.pid if self._child.running else None
        return self._pid if self._pid and self._owns(self._pid) else None

    def ending(self) -> str | None:
        """Return how it ended, such as `by signal 9`. None while it runs."""
        if self.pid:
            return None
        return self._child.ending() if self._child else "cause unknown"

    def last_words(self) -> str:
        return f"see {self.log}"

    def can_start(self) -> bool:
        """Return True if `launch` can be called now."""
        return True

    def start(self) -> None:
        """Start it, unless it runs already, and wait until it is ready. Raises LocalError."""
        self.launch()
        self.wait()

    def launch(self) -> None:
        """Start it, unless it runs already. Do not wait until it is ready."""
        if self.pid:
            return
        self.port = choose_port(self.name, self.wanted_port)
        self.directory.mkdir(parents=True, exist_ok=True)
        environment = self.environment() | {OWNER: str(self.directory)}
        self._child = Process(self.command(), environment, self.log, folder=self.directory)
        self._pid_file.write_text(f"{self._child.pid} {self.port}\n")

    def wait(self) -> None:
        """Wait until it is ready. If it ends first, start it once more.

        Raises LocalError if it ends again, or does not answer after START_SECONDS.
        """
        self._wait_once()
        if not self.pid:
            self.launch()  # another program may have taken the port meanwhile
            self._wait_once()
        if not self.pid:
            raise LocalError(self._failure("ended before it was ready"))
        self.wanted_port = self.port

    def ready(self) -> bool:
        """Return True if it is ready for work now."""
        try:
            return self.pid is not None and self.answers()
        except OSError:
            return False

    def stop(self) -> None:
        """Stop it. Kill it after STOP_SECONDS."""
        self.ask_to_end()
        self.await_end()

    def ask_to_end(self) -> None:
        self._send(signal.SIGTERM)
        self._send(signal.SIGCONT)  # a frozen process handles SIGTERM only after this

    def await_end(self) -> None:
        """Wait until it has ended. Kill it after STOP_SECONDS, or if a signal interrupts the wait."""
        try:
            wait_until(lambda: not self.pid, STOP_SECONDS)
        finally:
            self.kill()
            self._pid_file.unlink(missing_ok=True)

    def kill(self) -> None:
        """End it by SIGKILL, like a crash."""
        self._send(signal.SIGKILL)
        wait_until(lambda: not self.pid, STOP_SECONDS)

    def suspend(self) -> None:
        """Freeze it. Its connections stay open, but it does not answer."""
        if pid := self.pid:
            freeze(pid)

    def resume(self) -> None:
        self._send(signal.SIGCONT)

    def connect(self) -> socket.socket:
        return socket.create_connection((HOST, self.port), timeout=2)

    def _wait_once(self) -> None:
        if not wait_until(lambda: self.ready() or not self.pid, START_SECONDS):
            raise LocalError(self._failure(f"does not answer at {self.address} after {START_SECONDS} s"))

    def _send(self, number: signal.Signals) -> None:
        if pid := self.pid:
            os.kill(pid, number)

    def _owns(self, pid: int) -> bool:
        try:
            environment = Path(f"/proc/{pid}/environ").read_bytes()
        except OSError:
            return False
        return f"{OWNER}={self.directory}".encode() in environment.split(b"\0")

    def _read_pid_file(self) -> tuple[int | None, int]:
        try:
            pid, port = self._pid_file.read_text().split()
            return int(pid), int(port)
        except (OSError, ValueError):
            return None, 0

    def _failure(self, problem: str) -> str:
        lines = self.log.read_text(errors="replace").splitlines()
        telling = [line[:200] for line in lines if not line.startswith("\tat ")]  # without Java's stack
        return "\n    ".join([f"{self.name} {problem}. The last lines of {self.log}:", *telling[-10:]])


def choose_port(name: str, wanted: int) -> int:
    """Return the wanted port. If it cannot be used, warn and return any free port. 0 means any free port."""
    if wanted and is_free(wanted):
        return wanted
    port = free_port()
    if wanted:
        logger.warning("Port %d cannot be used: %s uses %d instead.", wanted, name, port)
    return port
