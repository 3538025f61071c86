"""Runs as the API shows them: one by one, in pages, and as events."""

import json
import signal
import uuid

import requests

from tests.integration.ledger import produce
from tests.integration.processes import all_serve, eventually
from tests.integration.runs import assert_complete, finished, post, run_of


def test_the_prefer_header_says_how_long_a_request_waits(stack):
    later = stack.request("GET", "/ping/500/10", headers={"Prefer": "respond-async"})
    waited = stack.request("GET", "/ping/500/10", headers={"Prefer": "respond-async, wait=20"})
    too_short = stack.request("POST", "/ping/200000/10", headers={"Prefer": "wait=0"})

    assert (later.status_code, later.headers["Preference-Applied"]) == (202, "respond-async")
    applied = "respond-async, wait=15"  # REQUEST_TIMEOUT is 15 s
    assert (waited.status_code, waited.headers["Preference-Applied"]) == (200, applied)
    assert_complete(waited.json(), 500)
    assert too_short.status_code == 202
    finished(stack, too_short)


def test_a_get_without_a_prefer_header_returns_a_link_to_its_run(stack):
    answer = stack.get("/ping/700/10")
    target, relation = answer.headers["Link"].split("; ")

    assert relation == 'rel="describedby"'
    eventually(lambda: stack.get(target.strip("<>")).json()["state"] == "done")
    assert_complete(stack.get(target.strip("<>")).json(), 700)
    assert len(answer.json()) == 5


def test_any_api_knows_every_run_even_after_a_restart(stack):
    answer = post(stack, "/ping/5000/10")
    run = finished(stack, answer)
    port, _ = stack.start_api()
    eventually(lambda: all_serve(port))
    assert requests.get(f"http://127.0.0.1:{port}/runs/{run['id']}", timeout=10).json() == run

    stack.api.popen.send_signal(signal.SIGKILL)
    stack.api.popen.wait()
    stack.port, stack.api = stack.start_api()
    stack.wait_until_ready()
    assert [run_of(stack, answer) for _ in range(6)] == [run] * 6


def test_the_newest_runs_are_listed_in_pages(stack):
    ids = [finished(stack, post(stack, "/pong/1/1"))["id"] for _ in range(5)]
    first = stack.get("/runs?limit=2").json()
    second = stack.get(first["next"]).json()

    assert [run["id"] for run in first["runs"] + second["runs"]] == ids[:0:-1]


def test_an_unknown_run_is_404_and_the_response_names_the_run(stack):
    path = f"/runs/{uuid.uuid4()}"
    for answer in stack.get(path), stack.get(f"{path}/events"), stack.request("DELETE", path):
        assert (answer.status_code, answer.json()["instance"]) == (404, path)
    page = stack.get(path.replace("s/", "s?before="))
    assert (page.status_code, page.json()["instance"]) == (404, path)


def events(stack, path: str, **headers: str) -> list[tuple[int, dict]]:
    """Read a stream to its end. Return the id and the run of each `run` event."""
    found = []
    with stack.request("GET", path, headers=headers, stream=True) as answer:
        assert answer.headers["Content-Type"].startswith("text/event-stream")
        for block in answer.text.split("\n\n"):
            fields = dict(line.split(": ", 1) for line in block.splitlines() if ": " in line and line[0] != ":")
            if fields.get("event") == "run":
                found.append((int(fields["id"]), json.loads(fields["data"])))
    return found


def test_events_show_a_run_until_it_ends(stack):
    answer = post(stack, "/ping/50000/10")
    told = events(stack, answer.headers["Location"] + "/events")
    later = events(stack, answer.headers["Location"] + "/events", **{"Last-Event-ID": str(told[0][0])})

    assert len(told) > 2
    assert [id for id, _ in told] == sorted({id for id, _ in told})
    assert_complete(told[-1][1], 50_000)
    assert told[-1][1] == run_of(stack, answer)
    assert later == told[-1:]
    over = stack.request("GET", answer.headers["Location"] + "/events", headers={"Last-Event-ID": str(told[-1][0])})
    assert over.status_code == 204


def test_a_head_request_for_a_stream_does_not_wait_for_its_events(stack):
    stack.ping.terminate()
    answer = post(stack, "/ping/10/10")
    head = stack.request("HEAD", answer.headers["Location"] + "/events")
    stack.start_service("ping")

    assert head.status_code == 200
    assert head.headers["Content-Type"].startswith("text/event-stream")
    finished(stack, answer)


def test_foreign_records_in_the_journal_do_no_harm(stack):
    key = f"{uuid.uuid4()}/sent/x".encode()
    asked = f"{uuid.uuid4()}/accepted/x".encode()
    for topic in "run-requests", "run-states":
        records = [(b"x", None), (b"x/y/z", b"{}"), (b"\xff", b"1"), (asked, b"{}"), (asked, None)]
        records += [(key, b"{}"), (key, b"[1]"), (key, b"\xff")]
        produce(stack.brokers.kafka_bootstrap, topic, records)
    assert_complete(finished(stack, post(stack, "/ping/100/10")), 100)


def test_old_runs_are_dropped(stack):
    port, _ = stack.start_api(RUNS_KEPT="3")
    first = post(stack, "/pong/1/1")
    for _ in range(3):
        last = post(stack, "/pong/1/1")
    finished(stack, last)
    eventually(lambda: requests.get(f"http://127.0.0.1:{port}/readyz", timeout=10).ok)

    assert len(requests.get(f"http://127.0.0.1:{port}/runs", timeout=10).json()["runs"]) == 3
    assert requests.get(f"http://127.0.0.1:{port}{first.headers['Location']}", timeout=10).status_code == 404
