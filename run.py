"""`make run`: the brokers, ping, pong and the API on this machine, their logs on one screen, until Ctrl-C.

One at a time in a folder. It uses brokers that run here already (`python3 -m local start`, or left by a `make run`
that was killed), and its end is theirs too.
"""

import ctypes
import os
import shlex
import signal
import socket
import sys
import threading
import time
from functools import partial
from pathlib import Path

import requests
from honcho import environ
from honcho.manager import Manager
from honcho.printer import Printer
from honcho.process import Popen, Process

from local import LocalError
from local.brokers import Brokers
from local.ports import free_port

HERE = Path(__file__).resolve().parent
BIN = Path(sys.executable).parent
READY_SECONDS = 90
PR_SET_PDEATHSIG = 1  # of Linux alone
LIBC = ctypes.CDLL(None) if sys.platform == "linux" else None


def main() -> int:
    # What the environment says goes before what .env says.
    settings = environ.parse((HERE / ".env").read_text()) | os.environ
    port = settings["API_PORT"]
    if not (port.isascii() and port.isdigit() and 0 < int(port) < 65536):
        print(f"API_PORT must be a port number, not {port!r}.")
        return 1
    os.environ["no_proxy"] = "localhost,127.0.0.1"  # whatever proxy this machine has is not for these
    signal.signal(signal.SIGINT, end)
    signal.signal(signal.SIGTERM, end)
    signal.signal(signal.SIGHUP, lambda *_: os.kill(os.getpid(), signal.SIGTERM))  # the terminal was closed
    sys.stdout = Screen()
    try:
        brokers = Brokers(HERE / "local" / "brokers" / "data", settings)
        brokers.claim()
        if problem := cannot_listen(port):
            print(f"Port {port} cannot be had: {problem}. Try again with another one: make run API_PORT={free_port()}")
            return 1
        print("Starting ZooKeeper, Kafka and RabbitMQ ...", flush=True)
        with brokers:
            for broker in brokers:
                print(f"  {broker.name} at {broker.address}, log in {os.path.relpath(broker.log)}", flush=True)
            problem = run_services(port, settings | brokers.environment)
            ignore_signals()
            print("Stopping the brokers ...", flush=True)
    except LocalError as error:
        print(error)
        return 1
    if problem:
        print(problem)
        return 1
    return 0


def end(number: int, _frame) -> None:
    ignore_signals()
    sys.exit(130 if number == signal.SIGINT else 0)


def ignore_signals() -> None:
    """From here on: a second Ctrl-C must not leave a broker behind."""
    # Not SIG_IGN: Python prints a traceback about a signal that came just before.
    signal.signal(signal.SIGINT, lambda *_: None)
    signal.signal(signal.SIGTERM, lambda *_: None)


def cannot_listen(port: str) -> str | None:
    """Why the API could not listen there, if so."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)  # as gunicorn does
        try:
            probe.bind(("127.0.0.1", int(port)))
        except OSError as error:
            return error.strerror
    return None


class Screen:
    """stdout, whose end is a reason to end in good order: Ctrl-C ends the `tee` of `make run | tee log` first."""

    def write(self, text: str) -> None:
        self._try(sys.__stdout__.write, text)

    def flush(self) -> None:
        self._try(sys.__stdout__.flush)

    def isatty(self) -> bool:
        return sys.__stdout__.isatty()

    def _try(self, function, *arguments) -> None:
        try:
            function(*arguments)
        except OSError:
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.__stdout__.fileno())
            os.kill(os.getpid(), signal.SIGTERM)


def end_with_parent(number: signal.Signals) -> None:
    """Have Linux send this process the signal once its parent has ended, by `kill -9` for example."""
    if LIBC:
        LIBC.prctl(PR_SET_PDEATHSIG, int(number), 0, 0, 0)


class Service(Process):
    """A service, and the process between it and this one that honcho reads its output with."""

    def run(self, events=None, ignore_signals=False):
        end_with_parent(signal.SIGKILL)
        self._child_ctor = partial(Popen, preexec_fn=partial(end_with_parent, signal.SIGTERM))
        super().run(events, ignore_signals)


class Services(Manager):
    """Until Ctrl-C, or until one of them ends; then the others are ended."""

    first_to_end: str | None = None

    def __init__(self):
        super().__init__(Printer(sys.stdout))
        self._process_ctor = Service

    def terminate(self):
        if not super()._all_started():
            return  # honcho does not know whom to end yet; below it does
        if not self._terminating:
            self.first_to_end = next((name for name, it in self._processes.items() if "returncode" in it), None)
        super().terminate()

    def _all_started(self):
        started = super()._all_started()
        if started and self.returncode is not None:
            self.terminate()
        return started

    def problem(self) -> str | None:
        """Which one ended without being asked to, in a sentence."""
        if not self.first_to_end:
            return None
        code = self._processes[self.first_to_end]["returncode"]
        how = f"with exit code {code}" if code >= 0 else f"by signal {-code}"
        return f"{self.first_to_end} ended by itself, {how}, so the others were ended too: see its last lines above."


def run_services(port: str, settings: dict[str, str]) -> str | None:
    """Run ping, pong and the API until Ctrl-C, or until one of them ends; return a sentence about that one."""
    settings |= {"PYTHONUNBUFFERED": "1", "PYTHONWARNINGS": "ignore", "API_BIND": f"127.0.0.1:{port}"}
    manager = Services()
    for name, command in {
        "ping": ["nameko", "run", "--config", "config.yml", "ping"],
        "pong": ["nameko", "run", "--config", "config.yml", "pong"],
        "api": ["gunicorn", "--config", "api/gunicorn.conf.py", "api:create_app()"],
    }.items():
        command[0] = str(BIN / command[0])
        manager.add_process(name, f"exec {shlex.join(command)}", env=settings, cwd=str(HERE))
    threading.Thread(target=say_hello, args=(f"http://localhost:{port}",), daemon=True).start()
    manager.loop()
    return manager.problem()


def say_hello(api: str) -> None:
    """Send the first 1,000 messages, once all is ready, and say what to do next."""
    deadline = time.monotonic() + READY_SECONDS
    while not is_ready(api):
        if time.monotonic() > deadline:
            print(f"Not ready after {READY_SECONDS} s: see above, and {api}/readyz", flush=True)
            return
        time.sleep(0.2)
    try:
        answer = requests.get(f"{api}/ping/1000/100", timeout=60)
    except requests.RequestException:
        return  # it is being ended
    time.sleep(1)  # the consumers' lines first
    print(
        f"\n$ curl {api}/ping/1000/100\n{answer.text}\n"
        f"Ready. In a second terminal:\n\n    curl {api}/ping/10000/100\n    curl {api}/pong/1000/100\n\n"
        "Ctrl-C ends everything.\n",
        flush=True,
    )


def is_ready(api: str) -> bool:
    try:
        return requests.get(f"{api}/readyz", timeout=10).ok
    except requests.RequestException:
        return False


if __name__ == "__main__":
    sys.exit(main())
