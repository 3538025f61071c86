"""Sends the changes of a run to HTTP clients, as server-sent events."""

import json
import time
from collections.abc import Iterator

from api.places import Places
from api.runs.model import Run
from api.runs.store import Store, now
from api.runs.view import RunView

HEARTBEAT_SECONDS = 10
PACE_SECONDS = 0.2
"""The shortest time between two `run` events, in seconds."""
ARRIVAL_SECONDS = 5
"""Messages can still arrive after a run has failed or was stopped.

The stream of such a run ends when no message has arrived for this many seconds.
"""
STREAMS = 16
"""Each process serves at most this many streams at the same time."""

MIMETYPE = "text/event-stream"


class EventStreams:
    """Opens the streams of one process. Each open stream occupies one of gunicorn's threads."""

    def __init__(self, store: Store):
        self._store = store
        self._places = Places(
            STREAMS, f"{STREAMS} clients already listen to runs. Try again later, or poll GET /runs/ID."
        )

    def open(self, run: Run, seen: int) -> Iterator[str]:
        """Return `run` events, and then one `end` event. See `openapi.yaml`.

        Each `run` event contains the whole run at that moment. The event's id is the version of the run. Only versions
        after `seen` are sent. If the run stalls, its last version is sent again.

        Raises Problem 503 if too many clients listen already. Call `close` when the response ends.
        """
        self._places.take()
        return _events(self._store, run, seen)

    def close(self) -> None:
        self._places.leave()

    def is_told(self, run: Run, seen: int) -> bool:
        """Return True if `seen` is the last version of `run`. A stream would then have no `run` event."""
        view = self._store.view(run)
        return seen >= view.version and _is_final(view)


def _is_final(view: RunView) -> bool:
    """Return True if the run is over and no more of its messages are expected."""
    return view.is_over and (view.has_arrived or now() - view.last_change > ARRIVAL_SECONDS * 1e6)


def _events(store: Store, run: Run, seen: int) -> Iterator[str]:
    yield "retry: 1000\n\n"
    last_sent = time.monotonic()
    stalled = None
    while True:
        changed = store.wait_for_change(run, seen, 1.0)
        view = store.view(run)
        if changed or view.stalled != stalled:
            seen, stalled, last_sent = view.version, view.stalled, time.monotonic()
            yield f"id: {seen}\nevent: run\ndata: {json.dumps(view.as_json())}\n\n"
        if _is_final(view) or not store.keeps(run):
            yield "event: end\ndata: {}\n\n"
            return
        if time.monotonic() - last_sent > HEARTBEAT_SECONDS:
            last_sent = time.monotonic()
            yield ": still here\n\n"
        time.sleep(PACE_SECONDS)
