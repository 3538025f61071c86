"""The description of the API is valid and complete. Responses that differ from it are noticed."""

import json
import re

import pytest
import requests
from openapi_spec_validator import validate

from api import create_app
from api.params import BadParameter, parse_key
from tests.integration.contract import DESCRIPTION, check

LIMITED = "num_messages", "size"
FIGURES = {"num_messages": 1, "size": 1, "total time": 0.1, "byte rate (MB/s)": 1e-5, "message rate (msg/s)": 10.0}
STAGE = {
    "messages": 1, "distinct": 1, "duplicates": 0, "missing": 0, "failed": 0, "out_of_order": 0,
    "bytes": 1, "clock_skew": 0, "timeline": {"start": "2026-11-23T08:31:49.000Z", "step": 1, "messages": [1]},
    "first": "2026-11-23T08:31:49.954Z", "last": "2026-11-23T08:31:49.954Z", "message_rate": 1.0, "byte_rate": 1e-6,
    "latency_ms": {"p50": 1.0, "p90": 1.0, "p99": 1.0, "p99_9": 1.0, "p99_99": 1.0, "max": 1.0},
    "partitions": {"0": 1}, "instances": {"host:1": 1},
    "presence": {"host:1": [{"from": None, "to": None}]},
}  # fmt: skip
RUN = {
    "id": "3f1c3e9a-5b0c-4f7e-8a35-3d0a5f6f2b11", "state": "done", "service": "pong", "num_messages": 1, "size": 1,
    "rate": None, "created": "2026-11-23T08:31:49.910Z", "finished": "2026-11-23T08:31:50.071Z",
    "stalled": None, "reason": None, "client": "kafka-python", "delivery": "at-least-once",
    "stages": {"sent": STAGE, "ping_received": STAGE},
}  # fmt: skip


@pytest.fixture(scope="module")
def app():
    return create_app()


def response_to(method: str, path: str, status: int, headers: dict, body: bytes) -> requests.Response:
    response = requests.Response()
    response.request = requests.Request(method, f"http://localhost{path}").prepare()
    response.url, response.status_code, response._content = response.request.url, status, body
    response.headers.update(headers)
    return response


def ok(path: str, body: object, **headers: str) -> requests.Response:
    headers = {"Content-Type": "application/json", "Cache-Control": "no-store"} | headers
    return response_to("GET", path, 200, headers, json.dumps(body).encode())


def problem(status: int, instance: str | None = None, **headers: str) -> requests.Response:
    headers |= {"Content-Type": "application/problem+json", "Cache-Control": "no-store", "Retry-After": "5"}
    body = {"type": "about:blank", "title": "x", "status": status, "detail": "x"}
    body |= {"instance": instance} if instance else {}
    return response_to("GET", "/ping/1/1", status, headers, json.dumps(body).encode())


def test_the_description_is_valid_openapi():
    validate(DESCRIPTION)


def test_the_description_has_every_route_of_the_api_and_no_other(app):
    routes = {
        (rule.endpoint, method)
        for rule in app.url_map.iter_rules()
        for method in rule.methods - {"HEAD", "OPTIONS"}
        if not rule.rule.startswith("/static/")  # the files of the page
    }
    adapter = app.url_map.bind("localhost")
    described = {
        (adapter.match(re.sub(r"{\w+}", "1", path), method.upper())[0], method.upper())
        for path, item in DESCRIPTION["paths"].items()
        for method in item.keys() - {"parameters"}
    }

    assert described == routes


@pytest.mark.parametrize("path", ["/", "/openapi.json", "/docs", "/healthz", "/ping/0/1", "/runs/42", "/nothing"])
@pytest.mark.parametrize("method", ["GET", "HEAD", "OPTIONS", "PUT"])
def test_responses_that_need_no_broker_are_as_described(app, method, path):
    given = app.test_client().open(path, method=method)

    check(response_to(method, path, given.status_code, given.headers, given.data))


def test_the_description_contains_the_limits_from_the_settings(monkeypatch):
    monkeypatch.setenv("MAX_MESSAGES", "20")
    monkeypatch.setenv("MAX_SIZE", "2000")
    parameters = create_app().test_client().get("/openapi.json").json["components"]["parameters"]
    described = {name: (parameters[name]["schema"]["maximum"], parameters[name]["example"]) for name in LIMITED}

    assert described == {"num_messages": (20, 20), "size": (2000, 100)}


def is_accepted(key: str) -> bool:
    try:
        return parse_key(key) is not None
    except BadParameter:
        return False


@pytest.mark.parametrize("key", [RUN["id"], RUN["id"].upper(), f'"{RUN["id"]}"', f"urn:uuid:{RUN['id']}", "42"])
def test_the_description_allows_the_keys_that_the_api_accepts_and_no_others(key):
    described = DESCRIPTION["components"]["parameters"]["Idempotency-Key"]["schema"]["pattern"]

    assert bool(re.search(described, key)) == is_accepted(key)


def test_the_docs_page_names_every_path_and_every_schema(app):
    page = app.test_client().get("/docs").text

    assert all(path in page for path in DESCRIPTION["paths"])
    assert all(f'id="{name}"' in page for name in DESCRIPTION["components"]["schemas"])


def test_a_response_that_is_as_described_passes():
    check(ok("/ping/1/1", FIGURES))
    check(ok(f"/runs/{RUN['id']}", RUN))
    check(ok(f"/runs/{RUN['id']}", RUN | {"more": "may be added"}))


@pytest.mark.parametrize(
    ("reason", "wrong"),
    [
        ("'sixth'.* is not valid", ok("/ping/1/1", FIGURES | {"sixth": 1})),
        ("is not valid", ok("/ping/1/1", {name: FIGURES[name] for name in list(FIGURES)[:4]})),
        ("'size': '1'.* is not valid", ok("/ping/1/1", FIGURES | {"size": "1"})),
        ("'no-store' was expected", ok("/ping/1/1", FIGURES, **{"Cache-Control": "public"})),
        ("with Link", ok("/ping/1/1", FIGURES, Link="elsewhere")),
        ("with text/plain", ok("/ping/1/1", FIGURES, **{"Content-Type": "text/plain"})),
        ("not described", ok("/peng/1/1", FIGURES)),
        ("not described", response_to("GET", "/ping/1/1", 201, {}, b"{}")),
        ("not described", response_to("PUT", "/ping/1/1", 200, {}, b"{}")),
        ("'lost' is not one of", ok("/runs/1", RUN | {"state": "lost"})),
        ("'yesterday' is not a 'date-time'", ok("/runs/1", RUN | {"created": "yesterday"})),
        ("None is not of type 'integer'", ok("/runs/1", RUN | {"num_messages": None})),
        (
            "'distinct' is a required",
            ok("/runs/1", RUN | {"stages": {"sent": {"messages": 1}, "ping_received": STAGE}}),
        ),
        ("'ping_received' is a required", ok("/runs/1", RUN | {"stages": {"sent": STAGE}})),
        ("without Retry-After", response_to("GET", "/readyz", 503, {"Cache-Control": "no-store"}, b"")),
        ("without Allow", response_to("PUT", "/ping/1/1", 405, {"Cache-Control": "no-store"}, b"")),
        ("'instance' is a required", problem(422)),
        ("is not valid|does not match", problem(422, instance="/pong/1/1")),
        (
            "and its Link is not the `instance` in its body",
            problem(503, Link=f'</runs/{RUN["id"]}>; rel="describedby"'),
        ),
        ("with a body", response_to("OPTIONS", "/runs", 200, {"Cache-Control": "no-store", "Allow": "GET"}, b"no")),
    ],
)
def test_a_response_that_is_not_as_described_is_noticed(reason, wrong):
    with pytest.raises(AssertionError, match=reason):
        check(wrong)
