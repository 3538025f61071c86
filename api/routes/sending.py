"""GET and POST /ping/<num_messages>/<size> and /pong/…: begin a run.

A GET without a valid preference waits until all messages are sent. Other requests wait only if they have
`Prefer: wait=N`.
"""

from dataclasses import dataclass
from uuid import uuid4

from flask import Blueprint, Response, jsonify, request

from api.links import described_by, events_path, run_path
from api.params import Preferences, check_wait, parse_key, parse_numbers, parse_preferences, parse_query
from api.resources import resources
from api.runs.store import now
from api.runs.view import RunView
from messaging.runs.request import Request

PATH = "/<any(ping, pong):service>/<num_messages>/<size>"

blueprint = Blueprint("sending", __name__)


@dataclass(frozen=True)
class Asked:
    """The run that a client asks for, and the client's preferences for the response."""

    run: Request
    has_key: bool
    preferences: Preferences


@blueprint.get(PATH, head=False)
def send_now(service: str, num_messages: str, size: str) -> Response:
    asked = _parse(service, num_messages, size)
    if asked.preferences:
        return _send_later(asked)
    check_wait(asked.run, resources().settings.request_timeout)
    figures = resources().dispatcher.send(asked.run, asked.has_key)
    response = jsonify(figures)
    response.headers["Link"] = described_by(asked.run.run)
    return response


@blueprint.post(PATH)
def send_later(service: str, num_messages: str, size: str) -> Response:
    return _send_later(_parse(service, num_messages, size))


def _parse(service: str, num_messages: str, size: str) -> Asked:
    """Raises BadParameter."""
    query = parse_query(request.args.items(multi=True), "rate")
    settings = resources().settings
    numbers = parse_numbers(num_messages, size, settings, query.get("rate"))
    preferences = parse_preferences(request.headers.get("Prefer", ""), settings.request_timeout)
    key = parse_key(request.headers.get("Idempotency-Key"))
    run = Request(key or uuid4(), service, numbers.num_messages, numbers.size, now(), numbers.rate)
    return Asked(run, key is not None, preferences)


def _send_later(asked: Asked) -> Response:
    wait_seconds = asked.preferences.wait or 0
    run = resources().dispatcher.queue(asked.run, wait_seconds)
    response = jsonify(run.as_json()) if wait_seconds and run.is_over else _accepted(run)
    response.headers["Location"] = run_path(asked.run.run)
    if asked.preferences:
        response.headers["Preference-Applied"] = asked.preferences.applied
        response.vary.add("Prefer")
    return response


def _accepted(run: RunView) -> Response:
    """Return the response for a run that is not over, or that the client does not wait for."""
    run_id = run.request.run
    links = {"self": run_path(run_id), "events": events_path(run_id)}
    response = jsonify(id=str(run_id), state=run.state, links=links)
    response.status_code = 202
    response.headers["Retry-After"] = "1"
    return response
