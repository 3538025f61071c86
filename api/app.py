"""The HTTP side: runs of messages, sent while you wait or in the background, and what came of them."""

import re
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext, suppress
from uuid import UUID, uuid4

from flask import Flask, Response, jsonify, request, url_for
from werkzeug.http import parse_list_header

from api.docs import register_docs
from api.events import stream
from api.health import check_ready
from api.problems import Problem, register_problems
from api.runs import Run, Runs
from api.services import NotTaken, Services
from messaging import config as configuration
from messaging.limits import check_run

SEND = "/<any(ping, pong):service>/<num_messages>/<size>"
PAGE = 100
"""The most runs on one page of GET /runs."""
WAITING = 48
"""So many requests of one process may wait for a service at once: each holds one of gunicorn's threads."""

_waiting = {service: threading.BoundedSemaphore(WAITING) for service in ("ping", "pong")}


def create_app() -> Flask:
    """The WSGI application. Connects to nothing before the first request, so it can be made before workers fork."""
    app = Flask(__name__)
    app.url_map.merge_slashes = False  # a path is right or is 404
    app.json.sort_keys = False  # the five figures in the order of the specification
    config = configuration.load()
    services = Services(config)
    runs = Runs(config)
    app.extensions["runs"] = runs
    register_problems(app)
    register_docs(app)

    @app.get(SEND)
    def send(service: str, num_messages: str, size: str) -> Response:
        prefer = preferences()
        if "respond-async" in prefer or "wait" in prefer:
            return send_later(service, num_messages, size)
        numbers = checked(num_messages, size)
        run_id = requested_id()
        too_many()
        headers = {"Link": f'<{run_url(run_id)}>; rel="describedby"'}
        began = False
        try:
            with waiting(service), services.connected(service) as call:
                if "Idempotency-Key" in request.headers:
                    only_once(run_id, service, numbers)
                began = True
                return jsonify(call(*numbers, run_id=str(run_id))), headers
        except Problem as problem:
            if problem.status == 504 or isinstance(problem, NotTaken):
                # The service puts its runs on record itself, but has perhaps not come to this one yet.
                with suppress(Problem):
                    runs.accept(run_id, service, *numbers)
            if isinstance(problem, NotTaken):
                runs.revoke(run_id)
            if began or problem.status == 409:
                problem.headers |= headers
            raise

    @app.post(SEND)
    def send_later(service: str, num_messages: str, size: str) -> Response:
        prefer = preferences()
        numbers = checked(num_messages, size)
        seconds = wait_seconds(prefer)
        run_id = requested_id()
        # The place to wait comes first: a 503 for want of one must not leave a run behind.
        with waiting(service) if seconds else nullcontext():
            run = begin(run_id, service, numbers)
            deadline = time.monotonic() + seconds
            while (left := deadline - time.monotonic()) > 0 and not runs.is_over(run):
                runs.wait_for_change(run, run.version, left)
        applied = [name for name in ("respond-async", "wait") if name in prefer]
        over = seconds > 0 and runs.is_over(run)
        if over:
            response = jsonify(runs.view(run))
        else:
            links = {"self": run_url(run_id), "events": f"{run_url(run_id)}/events"}
            response = jsonify(id=str(run_id), state=runs.summary(run)["state"], links=links)
            response.status_code = 202
            response.headers["Retry-After"] = "1"
        response.headers["Location"] = run_url(run_id)
        if applied:
            response.headers["Preference-Applied"] = ", ".join(
                f"wait={seconds}" if name == "wait" else name for name in applied
            )
            response.vary.add("Prefer")
        return response

    def begin(run_id: UUID, service: str, numbers: tuple[int, int]) -> Run:
        """Accept a run and queue it, unless there is one under this id already, which is then returned."""
        run = runs.find(run_id)
        if run is None:
            too_many()
            token = runs.accept(run_id, service, *numbers)
            run, ours = runs.settle(run_id, token)
            if ours:
                try:
                    services.queue(service, *numbers, run_id=str(run_id))
                except NotTaken:
                    runs.revoke(run_id)
                    raise
                except Problem:
                    runs.withdraw(run_id, token)
                    raise
        if problem := same_key(run, service, numbers):
            raise problem
        return run

    def only_once(run_id: UUID, service: str, numbers: tuple[int, int]) -> None:
        """Put a run on record. Raises Problem if an earlier request had this id."""
        run, ours = runs.settle(run_id, runs.accept(run_id, service, *numbers))
        if not ours:
            raise same_key(run, service, numbers) or Problem(
                409, "This Idempotency-Key was used before; the run is at the link."
            )

    def too_many() -> None:
        if runs.unfinished() >= config["RUNS_PENDING"]:
            raise Problem(503, f"{config['RUNS_PENDING']} runs are under way; ask again when some have ended.")

    def checked(num_messages: str, size: str) -> tuple[int, int]:
        numbers = whole_number("num_messages", num_messages), whole_number("size", size)
        try:
            check_run(*numbers, config)
        except ValueError as error:
            raise Problem(400, str(error)) from None
        return numbers

    def wait_seconds(prefer: dict) -> int:
        if "wait" not in prefer:
            return 0
        return min(whole_number("Prefer: wait", prefer["wait"]), config["REQUEST_TIMEOUT"])

    @app.get("/runs")
    def list_runs() -> Response:
        limit = whole_number("limit", request.args.get("limit", "20"))
        if not 1 <= limit <= PAGE:
            raise Problem(400, f"limit must be a whole number from 1 to {PAGE}, not {limit}.")
        before = request.args.get("before")
        found = runs.newest(limit + 1, parse_id("before", before) if before else None)
        more = len(found) > limit
        following = url_for("list_runs", limit=limit, before=found[limit - 1].id) if more else None
        return jsonify(runs=[runs.summary(run) for run in found[:limit]], next=following)

    @app.get("/runs/<run_id>")
    def one_run(run_id: str) -> Response:
        return jsonify(runs.view(runs.get(parse_id("The run's id", run_id))))

    @app.delete("/runs/<run_id>")
    def stop_run(run_id: str) -> Response:
        run = runs.get(parse_id("The run's id", run_id))
        if not runs.is_over(run):
            runs.stop(run)
        response = jsonify(runs.view(run))
        response.status_code = 202
        return response

    @app.get("/runs/<run_id>/events")
    def events(run_id: str) -> Response:
        run = runs.get(parse_id("The run's id", run_id))
        return stream(runs, run, request.headers.get("Last-Event-ID"))

    @app.get("/healthz")
    def healthz() -> Response:
        return jsonify(status="alive")

    @app.get("/readyz")
    def readyz() -> Response:
        failing = check_ready(config)
        if failing:
            raise Problem(503, " ".join(failing.values()), failing=sorted(failing))
        return jsonify(status="ready")

    @app.after_request
    def protect(response: Response) -> Response:
        # A GET that sends messages must reach the server every time.
        response.headers["Cache-Control"] = "no-store"
        response.headers["X-Content-Type-Options"] = "nosniff"
        response.headers.setdefault("Content-Security-Policy", "default-src 'none'; frame-ancestors 'none'")
        return response

    return app


@contextmanager
def waiting(service: str) -> Iterator[None]:
    """Raises Problem 503 if too many wait already."""
    if not _waiting[service].acquire(blocking=False):
        raise Problem(503, f"{WAITING} requests wait for {service} already; ask later, or for 202 without waiting.")
    try:
        yield
    finally:
        _waiting[service].release()


def whole_number(name: str, text: str) -> int:
    """Plain ASCII digits as a number; Problem 400 for anything else, such as signs, spaces or other scripts' digits."""
    if not re.fullmatch(r"[0-9]{1,18}", text):
        raise Problem(400, f"{name} must be a whole number in plain digits, such as 1000, not {text[:50]!r}.")
    return int(text)


def preferences() -> dict[str, str]:
    """The preferences of the request (RFC 7240) with their values, names in lower case, parameters left out."""
    items = (item.partition(";")[0].partition("=") for item in parse_list_header(request.headers.get("Prefer", "")))
    return {name.strip().lower(): value.strip().strip('"') for name, _, value in items}


def parse_id(name: str, text: str) -> UUID:
    """Problem 400 unless it is a UUID in its usual form."""
    with suppress(ValueError):
        if str(UUID(text)) == text.lower():
            return UUID(text)
    raise Problem(400, f"{name} must be a UUID such as {uuid4()}, not {text[:50]!r}.")


def requested_id() -> UUID:
    """The id of a new run: the Idempotency-Key, or a new one."""
    key = request.headers.get("Idempotency-Key")
    return uuid4() if key is None else parse_id("Idempotency-Key", key)


def same_key(run: Run, service: str, numbers: tuple[int, int]) -> Problem | None:
    """What is wrong with a request under the id of a run: that asked for something else."""
    asked = run.accepted
    if (asked["service"], asked["num_messages"], asked["size"]) == (service, *numbers):
        return None
    was = f"/{asked['service']}/{asked['num_messages']}/{asked['size']}"
    return Problem(422, f"This Idempotency-Key belongs to {was}; use a new one.")


def run_url(run_id: UUID) -> str:
    return f"/runs/{run_id}"
