"""GET /runs/ID/events: a run as server-sent events, for as long as it goes on."""

import json
import re
import threading
import time
from collections.abc import Iterator

from flask import Response

from api.problems import Problem
from api.runs import FINAL, Run, Runs

HEARTBEAT_SECONDS = 10
PACE_SECONDS = 0.2
"""At most one event in so long."""
ARRIVAL_SECONDS = 5
"""How long a stream stays for messages of a run that has failed or was stopped, if none come."""
STREAMS = 16
"""So many at once in one process: each holds one of gunicorn's threads."""

_free = threading.BoundedSemaphore(STREAMS)


def stream(runs: Runs, run: Run, last_event_id: str | None) -> Response:
    """Events `run`, each with the whole run as it is then, the last one when it has ended; comments in between.

    An event's id is the place of its newest record in topic `runs`, the same at every API process: with Last-Event-ID
    only what is newer is sent. Raises Problem 503 if too many listen already.
    """
    seen = int(last_event_id) if re.fullmatch(r"[0-9]{1,18}", last_event_id or "") else -1
    if not _free.acquire(blocking=False):
        raise Problem(503, f"{STREAMS} listen already; ask again later, or poll GET /runs/{run.id}.")
    response = Response(_events(runs, run, seen), mimetype="text/event-stream")
    response.call_on_close(_free.release)
    return response


def has_arrived(view: dict) -> bool:
    """Whether all that was sent has been seen by every stage: also what was sent of a run that was stopped."""
    return not any(stage["missing"] for name, stage in view["stages"].items() if name != "sent")


def _events(runs: Runs, run: Run, seen: int) -> Iterator[str]:
    yield "retry: 1000\n\n"
    last_sent = time.monotonic()
    stalled = None
    while True:
        changed = runs.wait_for_change(run, seen, 1.0)
        version = run.version  # before the view: what comes in between is for the next event
        view = runs.view(run)
        if changed or view["stalled"] != stalled:
            seen, stalled, last_sent = version, view["stalled"], time.monotonic()
            yield f"id: {seen}\nevent: run\ndata: {json.dumps(view)}\n\n"
        if view["state"] in FINAL and (has_arrived(view) or runs.idle_seconds(run) > ARRIVAL_SECONDS):
            yield "event: end\ndata: {}\n\n"
            return
        if time.monotonic() - last_sent > HEARTBEAT_SECONDS:
            last_sent = time.monotonic()
            yield ": still here\n\n"
        time.sleep(PACE_SECONDS)
