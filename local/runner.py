"""`make run`: the brokers, ping, pong and the API on this machine, their logs on one screen, until Ctrl-C.

Only one can run at a time in a folder. It uses brokers that run here already (`python3 -m local start` or a `make run`
that was killed has left them), and stops them when it ends.
"""

import os
import signal
import sys
import time
from collections.abc import Callable
from contextlib import closing, suppress
from http.client import HTTPConnection, HTTPException
from importlib.util import find_spec
from queue import Empty, SimpleQueue
from threading import Thread
from types import FrameType
from typing import NoReturn

from . import LocalError
from .brokers import DATA, Brokers
from .ports import HOST, free_port, port_from, why_not_free
from .processes import Process
from .services import API, PING, PONG, api_address, environment
from .settings import read_settings
from .waiting import wait_until

SERVICES = {"ping": PING, "pong": PONG, "api": API}
COLOURS = {"ping": 36, "pong": 33, "api": 32}
READY_SECONDS = 90
STOP_SECONDS = 10
SIGNALS = signal.SIGINT, signal.SIGTERM, signal.SIGHUP
"""Ctrl-C, `kill`, and a terminal that is closed."""


def run() -> int:
    """Run everything until Ctrl-C. Return the exit code."""
    on_signals(stop_starting)
    try:
        if not find_spec("nameko"):
            raise LocalError("nameko is not installed for this Python. Use `make run`.")
        settings = read_settings()
        port = port_from(settings, "API_PORT", 8000)
        brokers = Brokers(DATA, settings)
        brokers.claim()
        if reason := why_not_free(port):
            raise LocalError(f"Port {port} cannot be used: {reason}. Try another: make run API_PORT={free_port()}")
        say("Starting ZooKeeper, Kafka and RabbitMQ ...")
        with brokers:
            for broker in brokers:
                say(f"  {broker.name} at {broker.address}, log in {os.path.relpath(broker.log)}")
            problem = run_services(settings | brokers.environment, port)
            say("Stopping the brokers ...")
        if problem:
            raise LocalError(problem)
    except LocalError as error:
        say(str(error))
        return 1
    return 0


def run_services(settings: dict[str, str], port: int) -> str | None:
    """Run ping, pong and the API until a signal comes or one of them ends. Return a sentence about the one that did."""
    events: SimpleQueue[str | None] = SimpleQueue()
    on_signals(lambda *_: events.put(None))
    say("Starting ping, pong and the API ...")
    variables = environment(settings | api_address(port))
    # This thread starts them: Linux ends them with the thread that did.
    services = {name: Process(command, variables, ends_with_us=True) for name, command in SERVICES.items()}
    for name, service in services.items():
        say(f"  {name}, process {service.pid}")
    threads = [Thread(target=copy_lines, args=(*service, events), daemon=True) for service in services.items()]
    for thread in [*threads, Thread(target=say_hello, args=(port,), daemon=True)]:
        thread.start()
    ended = first_of(events)
    on_signals(ignore)
    say("Stopping ping, pong and the API ...")
    for service in services.values():
        service.ask_to_end()
    codes = {name: service.await_end(STOP_SECONDS) for name, service in services.items()}
    for thread in threads:
        thread.join(1)  # its last lines come first
    if ended is None:
        return None
    how = f"with exit code {codes[ended]}" if codes[ended] >= 0 else f"by signal {-codes[ended]}"
    return f"{ended} ended by itself, {how}, so the others were stopped too. Its last lines are above."


def first_of(events: SimpleQueue[str | None]) -> str | None:
    """Wait for the first event. A signal that comes just before the wait does not end it, so it is in short steps."""
    while True:
        with suppress(Empty):
            return events.get(timeout=0.5)


def copy_lines(name: str, service: Process, events: SimpleQueue[str | None]) -> None:
    """Copy the lines of a service to the screen, each after its name. Report when it has ended."""
    prefix = f"{name:<4} | "
    if sys.stdout.isatty():
        prefix = f"\033[{COLOURS[name]}m{prefix}\033[0m"
    for line in service.lines():
        say(prefix + line)
    service.popen.wait()
    events.put(name)


def say(text: str) -> None:
    """Print a line. If nobody can read it, end in good order: Ctrl-C ends the `tee` of `make run | tee log` first."""
    try:
        sys.stdout.write(f"{text}\n")
        sys.stdout.flush()
    except OSError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        os.kill(os.getpid(), signal.SIGTERM)


def on_signals(handler: Callable[[int, FrameType | None], object]) -> None:
    for number in SIGNALS:
        signal.signal(number, handler)


def stop_starting(number: int, _frame: FrameType | None) -> NoReturn:
    """End the runner while the brokers start. This stops those that have started."""
    on_signals(ignore)
    sys.exit(130 if number == signal.SIGINT else 0)


def ignore(_number: int, _frame: FrameType | None) -> None:
    """Do nothing: a second Ctrl-C must not leave a broker behind."""
    # Not SIG_IGN: Python prints a traceback about a signal that came just before.


def say_hello(port: int) -> None:
    """Send the first 1,000 messages as soon as everything is ready, and say what to do next."""
    api = f"http://localhost:{port}"
    if not wait_until(lambda: get(port, "/readyz", 10)[0] == 200, READY_SECONDS, 0.2):
        say(f"Not ready after {READY_SECONDS} s. The lines above and {api}/readyz say why.")
        return
    status, body = get(port, "/ping/1000/100", 60)
    if not status:
        return  # it is being stopped
    time.sleep(1)  # the consumers' lines come first
    say(
        f"\n$ curl {api}/ping/1000/100\n{body}\n"
        f"Ready. In a second terminal:\n\n    curl {api}/ping/10000/100\n    curl {api}/pong/1000/100\n\n"
        "Ctrl-C ends everything.\n"
    )


def get(port: int, path: str, seconds: float) -> tuple[int, str]:
    """Return status and body of the API's answer, or 0 and nothing if there is none."""
    with closing(HTTPConnection(HOST, port, timeout=seconds)) as connection:
        try:
            connection.request("GET", path)
            answer = connection.getresponse()
            return answer.status, answer.read().decode()
        except (OSError, HTTPException):
            return 0, ""
