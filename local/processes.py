"""A child process of ours: start it, read its output, freeze it, end it."""

import ctypes
import os
import signal
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import nullcontext
from pathlib import Path

from . import ROOT
from .waiting import wait_until

LIBC = ctypes.CDLL(None) if sys.platform == "linux" else None
PR_SET_PDEATHSIG = 1
FREEZE_SECONDS = 5


class Process:
    """A child process that starts when this object is created.

    The process has a separate session, so Ctrl-C in the terminal does not reach it. Its output goes to the
    file `log`. Without `log`, `lines` returns the output.
    """

    def __init__(
        self,
        command: Sequence[str],
        environment: Mapping[str, str],
        log: Path | None = None,
        *,
        folder: Path = ROOT,
        ends_with_us: bool = False,
    ):
        self.log_file = log
        with log.open("wb") if log else nullcontext(subprocess.PIPE) as output:
            self.popen = subprocess.Popen(
                command,
                cwd=folder,
                env=environment,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                start_new_session=True,
                preexec_fn=end_with_parent if ends_with_us else None,
            )

    @property
    def pid(self) -> int:
        return self.popen.pid

    @property
    def running(self) -> bool:
        return self.popen.poll() is None

    def ending(self) -> str | None:
        """Return how it ended, such as `by signal 9`. None while it runs."""
        code = self.popen.poll()
        if code is None:
            return None
        return f"with exit code {code}" if code >= 0 else f"by signal {-code}"

    def lines(self) -> Iterator[str]:
        """Return an iterator over the lines that the process prints until it ends."""
        assert self.popen.stdout, "the output goes to the log file"
        return (line.decode(errors="replace").rstrip() for line in self.popen.stdout)

    def freeze(self) -> None:
        freeze(self.pid)

    def resume(self) -> None:
        self.popen.send_signal(signal.SIGCONT)

    def ask_to_end(self) -> None:
        """Resume it and send SIGTERM. A frozen process would not handle SIGTERM."""
        self.resume()
        self.popen.terminate()

    def await_end(self, seconds: float = 12) -> int:
        """Return the exit code. Kills the process if it has not ended after `seconds`."""
        try:
            return self.popen.wait(seconds)
        except subprocess.TimeoutExpired:
            self.kill()
            return self.popen.returncode

    def end(self, seconds: float = 12) -> int:
        """Ask it to end, wait, and return the exit code."""
        self.ask_to_end()
        return self.await_end(seconds)

    def kill(self) -> None:
        """End it and its child processes by SIGKILL, like a crash."""
        if self.running:
            os.killpg(self.pid, signal.SIGKILL)
        self.popen.wait()


def end_with_parent() -> None:
    """Ask Linux to send SIGTERM to this process when the thread that started it ends, even if the parent is killed."""
    if LIBC:
        LIBC.prctl(PR_SET_PDEATHSIG, int(signal.SIGTERM), 0, 0, 0)


def freeze(pid: int) -> None:
    """Suspend a process. On Linux, wait until its threads have stopped, which may take a moment on a busy machine."""
    os.kill(pid, signal.SIGSTOP)
    if sys.platform == "linux":
        wait_until(lambda: all(map(_is_stopped, Path(f"/proc/{pid}/task").iterdir())), FREEZE_SECONDS)


def _is_stopped(task: Path) -> bool:
    try:
        return (task / "stat").read_text().rpartition(")")[2].split()[0] in "TtZX"
    except OSError:
        return True  # the thread has ended
