"""Child processes: the services, and the code that they are compared with."""

import re
import signal
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from types import FrameType
from typing import NoReturn

from benchmarks import BenchmarkError
from local import ROOT
from local.processes import Process
from local.services import NAMEKO_RUN, environment
from local.signals import SIGNALS, ignore, on_signals

STOP_SECONDS = 15


def exit_on_signals() -> None:
    """Raise SystemExit at the first signal, so that the clean-up code ends all processes. Ignore further signals."""

    def end(number: int, _frame: FrameType | None) -> NoReturn:
        on_signals(ignore)
        sys.exit(128 + number)

    for number in SIGNALS:
        if signal.getsignal(number) != signal.SIG_IGN:  # `nohup` ignores SIGHUP
            signal.signal(number, end)


@contextmanager
def running(
    log: Path, command: Sequence[str], *, exits_well: bool = True, folder: Path = ROOT, **settings: str
) -> Iterator[Process]:
    """Run a command in a folder, with these settings in its environment. End it with SIGTERM.

    With `exits_well`, raises BenchmarkError if the exit code is not 0.
    """
    process = Process(command, environment(settings), log, folder=folder)
    try:
        yield process
    except BenchmarkError as error:
        raise BenchmarkError(f"{error}\nThe last lines of {log.name}:\n{tail(log)}") from None
    finally:
        code = process.end(STOP_SECONDS)
    if exits_well and code:
        raise BenchmarkError(f"`{' '.join(command)}` ended with exit code {code}:\n{tail(log)}")


def service(
    log: Path, module: str, *, exits_well: bool = True, folder: Path = ROOT, **settings: str
) -> AbstractContextManager[Process]:
    """Run a nameko service; see `running`."""
    settings = {"CONSUMER_METRIC_BATCH": "100", **settings}
    return running(log, (*NAMEKO_RUN, module), exits_well=exits_well, folder=folder, **settings)


def output_of(*arguments: str) -> str:
    """Return what `python -m arguments...` prints. Raises BenchmarkError if it fails."""
    command = [sys.executable, "-m", *arguments]
    process = subprocess.run(command, cwd=ROOT, env=environment({}), capture_output=True, text=True, check=False)
    if process.returncode:
        raise BenchmarkError(f"`{' '.join(command)}` failed:\n{process.stderr[-2000:]}")
    return process.stdout


def handled(log: Path, topic: str) -> int:
    """Return how many messages of this topic are handled according to the log.

    A service writes one line to its log for every 100 messages.
    """
    return sum(map(int, re.findall(rf"topic={topic} messages=(\d+)", log.read_text())))


def tail(log: Path, lines: int = 5) -> str:
    """Return the last lines of a log."""
    return "\n".join(log.read_text(errors="replace").splitlines()[-lines:])
