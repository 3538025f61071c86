"""Child processes: the services, the API, and what they are compared with."""

import os
import re
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path

from benchmarks import BenchmarkError
from local.brokers.process import free_port

ROOT = Path(__file__).parent.parent
STOP_SECONDS = 15


@contextmanager
def running(log: Path, *arguments: str, exits_well: bool = True, **settings: str) -> Iterator[subprocess.Popen]:
    """Run `python -m arguments...` with these environment variables besides our own; end it by SIGTERM.

    Raises BenchmarkError if it ends with another exit code than 0, unless that is to be expected.
    """
    with log.open("wb") as output:
        process = subprocess.Popen(
            [sys.executable, "-m", *arguments],
            cwd=ROOT,
            env=os.environ | {"PYTHONWARNINGS": "ignore"} | settings,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
            start_new_session=True,  # Ctrl-C in the terminal must not reach it
        )
    try:
        yield process
    except BenchmarkError as error:
        raise BenchmarkError(f"{error}\n{log.name} ends:\n{tail(log)}") from None
    finally:
        process.terminate()
        try:
            process.wait(STOP_SECONDS)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
    if exits_well and process.returncode:
        raise BenchmarkError(f"`python -m {' '.join(arguments)}` ended with {process.returncode}:\n{tail(log)}")


def service(log: Path, module: str, exits_well: bool = True) -> AbstractContextManager[subprocess.Popen]:
    """Run a nameko service; see `running`."""
    command = "nameko", "run", "--config", "config.yml", module
    return running(log, *command, exits_well=exits_well, CONSUMER_METRIC_BATCH="100")


def output_of(*arguments: str) -> str:
    """What `python -m arguments...` prints."""
    process = subprocess.run(
        [sys.executable, "-m", *arguments],
        cwd=ROOT,
        env=os.environ | {"PYTHONWARNINGS": "ignore"},
        capture_output=True,
        text=True,
        check=False,
    )
    if process.returncode:
        raise BenchmarkError(f"`python -m {' '.join(arguments)}` failed:\n{process.stderr[-2000:]}")
    return process.stdout


class Api:
    """The real API: gunicorn with api/gunicorn.conf.py, on a port of its own."""

    def __init__(self, process: subprocess.Popen, url: str):
        self.process = process
        self._url = url

    @classmethod
    @contextmanager
    def running(cls, log: Path) -> Iterator["Api"]:
        address = f"127.0.0.1:{free_port()}"
        command = "gunicorn", "--config", "api/gunicorn.conf.py", "api:create_app()"
        with running(log, *command, API_BIND=address, REQUEST_TIMEOUT="300") as process:
            yield cls(process, f"http://{address}")

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
        deadline = time.perf_counter() + seconds
        while True:
            try:
                self.get(path)
                return
            except BenchmarkError:
                if time.perf_counter() > deadline:
                    raise
            time.sleep(0.1)

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
