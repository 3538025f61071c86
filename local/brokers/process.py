"""One broker as a child process: a folder of its own, a port on loopback, a pid file, a log."""

import logging
import os
import random
import signal
import socket
import subprocess
import time
from collections.abc import Callable
from pathlib import Path

HOST = "127.0.0.1"
START_SECONDS = 60
STOP_SECONDS = 10
# Stands in the environment of each process and says whose it is: a pid alone may be anybody's by now.
OWNER = "BROKER_DIRECTORY"

logger = logging.getLogger("brokers")


class BrokerError(Exception):
    """The brokers cannot be had; the message is for the user and says why."""


class Broker:
    """A process that answers on one port: `wanted_port` if that is free, any free one if it is 0.

    Started again after `stop` or `kill`, it has the same port and the same data.
    """

    name: str

    def __init__(self, directory: Path, wanted_port: int = 0):
        self.directory = directory
        self.wanted_port = wanted_port
        self.log = directory / "log"
        self._pid_file = directory / "pid"
        self._child: subprocess.Popen | None = None
        self._pid, self.port = self._read_pid_file()

    def command(self) -> list[str]:
        """Write its configuration for `self.port` and say how it is run."""
        raise NotImplementedError

    def environment(self) -> dict[str, str]:
        return dict(os.environ)

    def answers(self) -> bool:
        """Whether it is ready for work, asked in its own protocol. OSError means no."""
        raise NotImplementedError

    @property
    def address(self) -> str:
        return f"{HOST}:{self.port}"

    @property
    def pid(self) -> int | None:
        """Its process id while it runs, whoever started it, else None."""
        if self._child:
            return self._child.pid if self._child.poll() is None else None
        return self._pid if self._pid and self._owns(self._pid) else None

    def start(self) -> None:
        """Start it, unless it runs already, and wait until it is ready. Raises BrokerError."""
        self.launch()
        self.wait()

    def launch(self) -> None:
        """Start it, unless it runs already, without waiting."""
        if self.pid:
            return
        self.port = choose_port(self.name, self.wanted_port)
        self.directory.mkdir(parents=True, exist_ok=True)
        command = self.command()
        with self.log.open("wb") as log:
            self._child = subprocess.Popen(
                command,
                cwd=self.directory,
                env=self.environment() | {OWNER: str(self.directory)},
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,  # Ctrl-C in the terminal must not reach it
            )
        self._pid_file.write_text(f"{self._child.pid} {self.port}\n")

    def wait(self) -> None:
        """Wait until it is ready. Raises BrokerError if it ends first or takes longer than START_SECONDS."""
        self._wait_once()
        if not self.pid:
            self.launch()  # another program may have taken a port after it was found free
            self._wait_once()
        if not self.pid:
            raise BrokerError(self._failure("ended before it was ready"))
        self.wanted_port = self.port

    def ready(self) -> bool:
        """Whether it is ready for work now."""
        try:
            return self.pid is not None and self.answers()
        except OSError:
            return False

    def stop(self) -> None:
        """End it in good order, after STOP_SECONDS by force."""
        self.ask_to_end()
        self.await_end()

    def ask_to_end(self) -> None:
        self._send(signal.SIGTERM)
        self._send(signal.SIGCONT)  # a suspended process would not notice

    def await_end(self) -> None:
        until(lambda: not self.pid, STOP_SECONDS)
        self.kill()
        self._pid_file.unlink(missing_ok=True)

    def kill(self) -> None:
        """End it as a crash would."""
        self._send(signal.SIGKILL)
        until(lambda: not self.pid, STOP_SECONDS)

    def suspend(self) -> None:
        """Freeze it: its connections stay open, and nothing comes from them."""
        self._send(signal.SIGSTOP)

    def resume(self) -> None:
        self._send(signal.SIGCONT)

    def connect(self) -> socket.socket:
        return socket.create_connection((HOST, self.port), timeout=2)

    def _wait_once(self) -> None:
        if not until(lambda: self.ready() or not self.pid, START_SECONDS):
            raise BrokerError(self._failure(f"does not answer at {self.address} after {START_SECONDS} s"))

    def _send(self, number: signal.Signals) -> None:
        if pid := self.pid:
            os.kill(pid, number)

    def _owns(self, pid: int) -> bool:
        try:
            environment = Path(f"/proc/{pid}/environ").read_bytes()
        except OSError:
            return False
        return f"{OWNER}={self.directory}".encode() in environment.split(b"\0")

    def _read_pid_file(self) -> tuple[int, int] | tuple[None, None]:
        try:
            pid, port = self._pid_file.read_text().split()
            return int(pid), int(port)
        except (OSError, ValueError):
            return None, None

    def _failure(self, problem: str) -> str:
        lines = self.log.read_text(errors="replace").splitlines()
        telling = [line[:200] for line in lines if not line.startswith("\tat ")]  # not Java's stack
        return "\n    ".join([f"{self.name} {problem}; {self.log} ends:", *telling[-10:]])


def until(condition: Callable[[], bool], seconds: float) -> bool:
    """Wait for `condition`; return whether it came true in time."""
    deadline = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > deadline:
            return False
        time.sleep(0.03)
    return True


def choose_port(name: str, wanted: int) -> int:
    """The wanted port, or a free one if that is 0 or another program listens there (which it says)."""
    if wanted and is_free(wanted):
        return wanted
    port = free_port()
    if wanted:
        logger.warning("Port %d is taken by another program: %s uses %d instead.", wanted, name, port)
    return port


def free_port() -> int:
    """A free port below those (from 32768) that Linux gives to connections.

    A port from there could go to a client that keeps trying to reach the very broker that is being restarted.
    """
    return next(port for port in iter(lambda: random.randrange(10_000, 32_768), None) if is_free(port))


def is_free(port: int) -> bool:
    with socket.socket() as probe:
        # As the brokers do: connections that linger from before do not keep it from being taken.
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((HOST, port))
        except OSError:
            return False
        return True
