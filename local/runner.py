"""`make run`: runs the brokers, ping, pong and the API until Ctrl-C. Shows the services' logs on one screen.

Only one `make run` can use a folder at a time. The brokers of this folder may already run, after `python3 -m local
start` or after a `make run` that was killed. Then `make run` uses these brokers, and stops them at its end. A service
or a broker that ends by itself is started again.
"""

import os
import signal
import sys
import time
from contextlib import closing, suppress
from http.client import HTTPConnection, HTTPException
from importlib.util import find_spec
from queue import Empty, SimpleQueue
from threading import Thread
from types import FrameType
from typing import NoReturn

from . import LocalError
from .brokers import DATA, Brokers
from .brokers.broker import Broker
from .ports import HOST, free_port, port_from, why_not_free
from .processes import Process
from .services import API, PING, PONG, api_address, environment
from .settings import read_settings
from .signals import ignore, on_signals
from .supervisor import Supervisor
from .waiting import wait_until

SERVICES = {"ping": PING, "pong": PONG, "api": API}
COLOURS = {"ping": 36, "pong": 33, "api": 32}
READY_SECONDS = 90
STOP_SECONDS = 10
WATCH_SECONDS = 0.5


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
            problem = run_services(settings | brokers.environment, port, list(map(broker_supervisor, brokers)))
            say("Stopping the brokers ...")
        if problem:
            raise LocalError(problem)
    except LocalError as error:
        say(str(error))
        return 1
    return 0


def run_services(settings: dict[str, str], port: int, brokers: list[Supervisor[Broker]]) -> str | None:
    """Run ping, pong and the API until a signal comes. If one of them or a broker cannot start, return the reason."""
    signals: SimpleQueue[int] = SimpleQueue()
    on_signals(lambda number, _: signals.put(number))
    say("Starting ping, pong and the API ...")
    services = [service_supervisor(name, environment(settings | api_address(port)), port) for name in SERVICES]
    for service in services:
        service.start()
    watched: list[Supervisor[Broker] | Supervisor[Service]] = [*brokers, *services]
    Thread(target=say_hello, args=(port,), daemon=True).start()
    try:
        # If a signal arrives just before a wait, Python handles it only after the wait. So the waits are short.
        while not comes(signals, WATCH_SECONDS):
            for each in watched:
                each.watch()
        problem = None
    except LocalError as error:
        problem = str(error)
    on_signals(ignore)
    say("Stopping ping, pong and the API ...")
    running = [service.process for service in services if service.process]
    for process in running:
        process.ask_to_end()
    for process in running:
        process.await_end(STOP_SECONDS)
        process.last_words()
    return problem


def service_supervisor(name: str, variables: dict[str, str], port: int) -> Supervisor["Service"]:
    """Return the supervisor that keeps this service running."""
    # A service touches this file while its consumer is in its group. The API does not use it.
    health_file = DATA / f"{name}.healthy"

    def launch() -> Service:
        health_file.unlink(missing_ok=True)
        return Service(name, variables | {"HEALTH_FILE": str(health_file)})

    def api_is_ready() -> bool:
        return get(port, "/healthz", 1)[0] == 200

    return Supervisor(name, launch, api_is_ready if name == "api" else health_file.exists, say)


def broker_supervisor(broker: Broker) -> Supervisor[Broker]:
    """Return the supervisor that starts this broker again if it ends. The broker runs already."""

    def launch() -> Broker | None:
        if not broker.can_start():
            return None
        broker.launch()
        return broker

    supervisor = Supervisor(broker.name, launch, broker.ready, say)
    supervisor.process = broker
    return supervisor


def comes(signals: SimpleQueue[int], seconds: float) -> bool:
    """Wait for a signal, but no longer than this. Return True if one has arrived."""
    with suppress(Empty):
        signals.get(timeout=seconds)
        return True
    return False


class Service(Process):
    """A service whose output is copied to the screen. Each line begins with the name of the service."""

    def __init__(self, name: str, variables: dict[str, str]):
        super().__init__(SERVICES[name], variables, ends_with_us=True)
        self._prefix = f"{name:<4} | "
        if sys.stdout.isatty():
            self._prefix = f"\033[{COLOURS[name]}m{self._prefix}\033[0m"
        self._last_line = ""
        self._copying = Thread(target=self._copy_lines, daemon=True)
        self._copying.start()

    def last_words(self) -> str:
        """Return the last line that the service has printed. Call this after its end."""
        self._copying.join(1)
        return self._last_line

    def _copy_lines(self) -> None:
        for line in self.lines():
            self._last_line = line.strip() or self._last_line
            say(self._prefix + line)


def say(text: str) -> None:
    """Print a line. If that fails, shut down cleanly: in `make run | tee log`, Ctrl-C ends `tee` first."""
    try:
        sys.stdout.write(f"{text}\n")
        sys.stdout.flush()
    except OSError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        os.kill(os.getpid(), signal.SIGTERM)


def stop_starting(number: int, _frame: FrameType | None) -> NoReturn:
    """End the runner while the brokers start. `Brokers` then stops those that have started."""
    on_signals(ignore)
    sys.exit(130 if number == signal.SIGINT else 0)


def say_hello(port: int) -> None:
    """Send the first 1,000 messages as soon as everything is ready, and say what to do next."""
    api = f"http://localhost:{port}"
    if not wait_until(lambda: get(port, "/readyz", 10)[0] == 200, READY_SECONDS, 0.2):
        say(f"Not ready after {READY_SECONDS} s. The lines above and {api}/readyz say why.")
        return
    status, body = get(port, "/ping/1000/100", 60)
    if not status:
        return  # no response, for example because the API is being stopped
    time.sleep(1)  # so that the consumers' log lines appear first
    say(
        f"\n$ curl {api}/ping/1000/100\n{body}\n"
        f"Ready. In a second terminal:\n\n    curl {api}/ping/10000/100\n    curl {api}/pong/1000/100\n\n"
        "Ctrl-C ends everything.\n"
    )


def get(port: int, path: str, seconds: float) -> tuple[int, str]:
    """Return the status and the body of the API's response, or 0 and an empty text if there is no response."""
    with closing(HTTPConnection(HOST, port, timeout=seconds)) as connection:
        try:
            connection.request("GET", path)
            answer = connection.getresponse()
            return answer.status, answer.read().decode()
        except (OSError, HTTPException):
            return 0, ""
