"""The API over HTTP: begin a run, look at it, follow its events."""

import json
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Self
from urllib.parse import urljoin

import requests

from client.runs import Run

TIMEOUT = 5, 30
"""Timeouts, in seconds: to connect, and to wait for the next byte.

An event stream has a heartbeat every 10 s, so 30 s without a byte mean that the stream is broken.
"""
RECONNECT_SECONDS = 30
"""After the event stream breaks, the client tries to reconnect for this long, in seconds."""
RETRY_SECONDS = 1
LAST_RECORDS_SECONDS = 5
"""After the end of a run, how long to wait for the last records of its stages, in seconds."""


class ApiError(Exception):
    """A request failed. The text says why."""


class Refused(ApiError):
    """The API has responded with an error. The text is the `detail` of the response, if there is one.

    Also raised if the event stream stays broken.
    """


class Api:
    """The API at a URL. Every method can raise ApiError."""

    def __init__(self, url: str):
        self.url = url.rstrip("/")
        self._session = requests.Session()
        self._session.trust_env = False  # use no proxy, because a proxy could not reach localhost

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exception: object) -> None:
        self._session.close()

    def start(self, service: str, num_messages: int, size: int, rate: int | None = None) -> str:
        """Begin a run and return its URL. `rate` is in messages per second; without it, the run is not paced."""
        path = f"/{service}/{num_messages}/{size}" + ("" if rate is None else f"?rate={rate}")
        with _errors():
            accepted = self._session.post(self.url + path, timeout=TIMEOUT)
            return urljoin(accepted.url, _check(accepted, 202).headers["Location"])

    def get(self, url: str) -> Run:
        """Return a run as it is now."""
        with _errors():
            return Run.from_json(_check(self._session.get(url, timeout=TIMEOUT), 200).json())

    def get_last(self, url: str) -> Run:
        """Return a run that is over. If messages are missing, ask again for up to LAST_RECORDS_SECONDS."""
        deadline = time.monotonic() + LAST_RECORDS_SECONDS
        while (run := self.get(url)).lost and time.monotonic() < deadline:
            time.sleep(0.1)
        return run

    def follow(self, url: str, warn: Callable[[str], None]) -> Iterator[Run]:
        """Yield the run after each change, until the API ends the stream.

        If the stream breaks, call `warn` with a sentence and reconnect. Raises ApiError if there is no stream for
        RECONNECT_SECONDS.
        """
        last_event_id: str | None = None
        broken_at: float | None = None
        while True:
            reason = "it ended before the run was over"
            try:
                for event in self._events(url, last_event_id):
                    if event.get("event") == "end":
                        return
                    # A stream begins with "retry", even if the server is stopping. Only the events after "retry" show
                    # that the stream works.
                    if "retry" not in event:
                        broken_at = None
                    if event.get("event") == "run":
                        last_event_id = event["id"]
                        yield Run.from_json(json.loads(event["data"]))
            except ApiError as error:
                reason = str(error)
            if broken_at is None:
                broken_at = time.monotonic()
                warn(f"The event stream broke ({reason}). Trying again for {RECONNECT_SECONDS} s ...")
            elif time.monotonic() - broken_at > RECONNECT_SECONDS:
                raise Refused(f"The event stream did not come back ({reason}). The run goes on without it: {url}")
            time.sleep(RETRY_SECONDS)

    def _events(self, url: str, last_event_id: str | None) -> Iterator[dict[str, str]]:
        """Yield the fields of each server-sent event. A comment becomes a field with an empty name."""
        headers = {"Last-Event-ID": last_event_id} if last_event_id else {}
        with _errors(), self._session.get(f"{url}/events", headers=headers, stream=True, timeout=TIMEOUT) as response:
            if response.status_code == 204:  # no event follows the last one that we have seen
                yield {"event": "end"}
                return
            fields: dict[str, str] = {}
            for line in _check(response, 200).iter_lines():
                if line:
                    name, _, fields[name] = line.decode().partition(": ")
                else:
                    yield fields
                    fields = {}


@contextmanager
def _errors() -> Iterator[None]:
    try:
        yield
    except requests.RequestException as error:
        raise ApiError(type(error).__name__) from None


def _check(response: requests.Response, status: int) -> requests.Response:
    """Return the response if it has this status. Otherwise raise Refused."""
    if response.status_code == status:
        return response
    try:
        detail = response.json()["detail"]
    except (ValueError, LookupError, TypeError):  # not problem+json
        detail = f"{response.url} answers {response.status_code} {response.reason}."
    raise Refused(detail)
