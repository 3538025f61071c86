"""Child processes: the services, the API, and what they are compared with."""

import re
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager, suppress
from pathlib import Path

from benchmarks import BenchmarkError
from local import ROOT
from local.ports import HOST, free_port
from local.processes import Process
from local.services import API, NAMEKO_RUN, api_address, environment
from local.waiting import wait_until

STOP_SECONDS = 15


@contextmanager
def running(log: Path, command: Sequence[str], exits_well: bool = True, **settings: str) -> Iterator[Process]:
    """Run a command with these environment variables besides our own; end it by SIGTERM.

    Raises BenchmarkError if it ends with another exit code than 0, unless that is to be expected.
    """
    process = Process(command, environment(settings), log)
    try:
        yield process
    except BenchmarkError as error:
        raise BenchmarkError(f"{error}\n{log.name} ends:\n{tail(log)}") from None
    finally:
        code = process.end(STOP_SECONDS)
    if exits_well and code:
        raise BenchmarkError(f"`{' '.join(command)}` ended with {code}:\n{tail(log)}")


def service(log: Path, module: str, exits_well: bool = True) -> AbstractContextManager[Process]:
    """Run a nameko service; see `running`."""
    return running(log, (*NAMEKO_RUN, module), exits_well, CONSUMER_METRIC_BATCH="100")


def output_of(*arguments: str) -> str:
    """What `python -m arguments...` prints."""
    command = [sys.executable, "-m", *arguments]
    process = subprocess.run(command, cwd=ROOT, env=environment({}), capture_output=True, text=True, check=False)
    if process.returncode:
        raise BenchmarkError(f"`{' '.join(command)}` failed:\n{process.stderr[-2000:]}")
    return process.stdout


class Api:
    """The real API: gunicorn with api/gunicorn.conf.py, on a port of its own."""

    def __init__(self, process: Process, url: str):
        self.process = process
        self._url = url

    @classmethod
    @contextmanager
    def running(cls, log: Path) -> Iterator["Api"]:
        port = free_port()
        with running(log, API, REQUEST_TIMEOUT="300", **api_address(port)) as process:
            yield cls(process, f"http://{HOST}:{port}")

    def get(self, path: str) -> float:
        """Request it, over a connection of its own as curl does; return how many seconds that took.

        Raises BenchmarkError for any answer but 200, and for none.
        """
        started = time.perf_counter()
        try:
            with urllib.request.urlopen(self._url + path, timeout=300) as response:
                response.read()
        except OSError as error:
            raise BenchmarkError(f"{path}: {error}") from None
        return time.perf_counter() - started

    def wait(self, path: str, seconds: float = 60) -> None:
        """Request it until it is answered with 200."""

        def answered() -> bool:
            with suppress(BenchmarkError):
                self.get(path)
                return True
            return False

        if not wait_until(answered, seconds, 0.1):
            self.get(path)  # raises what is wrong

    @property
    def workers(self) -> Sequence[int]:
        """Process ids of gunicorn's workers."""
        pid = self.process.pid
        return [int(child) for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]


def resident_mb(pids: dict[str, int]) -> dict[str, float]:
    """Resident memory of each process, in MB (10^6 bytes), by name."""
    return {name: _resident_kib(pid) * 1024 / 1e6 for name, pid in pids.items()}


def _resident_kib(pid: int) -> int:
    status = Path(f"/proc/{pid}/status").read_text()
    return next(int(line.split()[1]) for line in status.splitlines() if line.startswith("VmRSS:"))


def handled(log: Path, topic: str) -> int:
    """How many messages of the topic were worked on, by what the log says of every 100."""
    return sum(map(int, re.findall(rf"topic={topic} messages=(\d+)", log.read_text())))


def tail(log: Path, lines: int = 5) -> str:
    return "\n".join(log.read_text(errors="replace").splitlines()[-lines:])
