"""The services as processes, and waiting for their results."""

import re
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import requests

from local.ports import free_port
from local.processes import Process
from local.services import API, NAMEKO_RUN, api_address
from local.waiting import wait_until
from messaging.clients.errors import ClientError
from tests.integration.contract import check

FINAL = "done", "failed", "stopped"


def eventually(condition: Callable[[], object], seconds: float = 60, what: str = ""):
    """Call `condition` until it returns a true value, and return that. Raises AssertionError after `seconds`.

    If `condition` raises AssertionError, OSError or ClientError, that counts as false.
    """
    error: Exception | None = None

    def attempt() -> object:
        nonlocal error
        error = None
        try:
            return condition()
        except (AssertionError, OSError, ClientError) as raised:
            error = raised
            return None

    if value := wait_until(attempt, seconds):
        return value
    raise AssertionError(f"gave up after {seconds} s: {what or condition} {error or ''}")


def all_serve(port: int) -> bool:
    """Return True if each process of an API serves runs. A process that still reads earlier runs may respond 503."""
    url = f"http://127.0.0.1:{port}/runs?limit=1"
    return all(requests.get(url, timeout=60).ok for _ in range(8))  # very likely, each process gets a request


def link(answer: requests.Response) -> str:
    """Return the path of the run in the header Link of a response."""
    return answer.headers["Link"].split(">")[0][1:]


class LoggedProcess(Process):
    """A process with a log."""

    @property
    def log(self) -> str:
        assert self.log_file
        return self.log_file.read_text()

    def stats(self) -> list[dict]:
        """Return the consumer's lines of statistics, each as a dict."""
        lines = (dict(re.findall(r"(\w+)=(\S+)", line)) for line in self.log.splitlines() if "topic=" in line)
        return [{k: v if k == "topic" else float(v) for k, v in line.items()} for line in lines]

    def assigned(self) -> set[str]:
        """Return the partitions that the consumer has now, from its log. For example "ping/0"."""
        assignments = re.findall(r"assigned: (.*)", self.log)
        return set(re.findall(r"\S+/\d+", assignments[-1])) if assignments else set()

    def terminate(self, seconds: float = 10) -> tuple[int, float]:
        """Send SIGTERM and wait until the process has ended. Raises TimeoutExpired after `seconds`.

        Return the exit code, and how many seconds the process took to end.
        """
        started = time.perf_counter()
        self.ask_to_end()
        return self.popen.wait(seconds), time.perf_counter() - started


class Stack:
    """ping, pong and the API in processes. Each one can be stopped and started separately."""

    def __init__(self, brokers, start: Callable[..., LoggedProcess]):
        self.brokers = brokers
        self._start = start
        self._processes: list[LoggedProcess] = []
        self.start_services()
        self.port, self.api = self.start_api()

    def start_api(self, **environment: str) -> tuple[int, LoggedProcess]:
        """Start another API. Return its port and its process."""
        port = free_port()
        settings = api_address(port) | {"REQUEST_TIMEOUT": "15", "RUN_STALLED": "3"} | environment
        return port, self._started("api", *API, **settings)

    def start_service(self, name: str, **environment: str) -> LoggedProcess:
        """Start another instance of a service."""
        return self._started(name, *NAMEKO_RUN, name, **environment)

    def start_services(self) -> None:
        """Start ping and pong. If they were started before, the old ones must have ended."""
        self.ping, self.pong = self.start_service("ping"), self.start_service("pong")

    def stop_services(self) -> list[int]:
        """Send SIGTERM to ping and pong, and return their exit codes. Raises TimeoutExpired after 10 s."""
        with ThreadPoolExecutor() as pool:
            return [code for code, _ in pool.map(LoggedProcess.terminate, [self.ping, self.pong])]

    def _started(self, *command: str, **environment: str) -> LoggedProcess:
        self._processes.append(self._start(*command, **environment))
        return self._processes[-1]

    def heal(self) -> None:
        """Resume or start brokers, ping, pong and the API. End all other instances. Wait until the stack is idle."""
        for broker in self.brokers:
            broker.resume()
        self.brokers.start()
        for process in self._processes:
            process.resume()
            if process not in (self.ping, self.pong, self.api):
                process.end()
        if not self.ping.running:
            self.ping = self.start_service("ping")
        if not self.pong.running:
            self.pong = self.start_service("pong")
        if not self.api.running:
            self.port, self.api = self.start_api()
        self._processes = [self.ping, self.pong, self.api]
        self.wait_until_ready()
        eventually(self._idle, 60, "runs are still under way")

    def restart(self) -> None:
        """End ping and pong and start them again."""
        for process in self.ping, self.pong:
            process.end()
        self.heal()

    def _idle(self) -> bool:
        answer = self.get("/runs?limit=100")
        assert answer.status_code == 200, answer.text  # the API may still be reading the journal
        runs = answer.json()["runs"]
        return all(run["state"] in FINAL or run["stalled"] for run in runs)

    def request(self, method: str, path: str, **options) -> requests.Response:
        """Return the API's response, which must match its description."""
        return check(requests.request(method, f"http://127.0.0.1:{self.port}{path}", timeout=60, **options))

    def get(self, path: str) -> requests.Response:
        return self.request("GET", path)

    def wait_until_ready(self) -> None:
        eventually(lambda: self.get("/readyz").status_code == 200, what="the stack is not ready")
        eventually(lambda: all_serve(self.port), what="the API still reads earlier runs")
