"""Runs: accepted at once, carried out whatever happens, and accounted for to the last message."""

import json
import signal
import time
import uuid
from concurrent.futures import ThreadPoolExecutor

import requests

from tests.integration.ledger import produce
from tests.integration.processes import FINAL, eventually

PING_STAGES = ["sent", "pong_received", "pong_answered", "ping_received"]


def post(stack, path: str, **headers: str) -> requests.Response:
    return stack.request("POST", path, headers=headers)


def run_of(stack, answer: requests.Response) -> dict:
    """The run that an answer leads to, as it is now."""
    return stack.get(answer.headers["Location"]).json()


def finished(stack, answer: requests.Response, seconds: float = 60) -> dict:
    """The run that an answer leads to, once it has ended."""

    def ended() -> dict:
        run = run_of(stack, answer)
        assert run["state"] in FINAL, run
        return run

    return eventually(ended, seconds, "the run does not end")


def assert_complete(run: dict, count: int) -> None:
    """Done, with every message seen by every stage."""
    assert run["state"] == "done", run
    assert run["finished"]
    assert [run["stalled"], run["reason"]] == [None, None]
    for name, stage in run["stages"].items():
        assert [stage["distinct"], stage["missing"], stage["failed"]] == [count, 0, 0], name
        assert stage["messages"] == count + stage["duplicates"] == sum(stage["partitions"].values())
        assert stage["messages"] == sum(stage["instances"].values())
        assert stage["bytes"] == stage["messages"] * run["size"]
        latency = stage["latency_ms"]
        assert 0 <= latency["p50"] <= latency["p90"] <= latency["p99"] <= latency["max"]
        assert run["created"] <= stage["first"] <= stage["last"] <= run["finished"]


def test_a_run_is_accepted_at_once_and_ends_with_every_message_seen_by_every_stage(stack, ledger):
    assert post(stack, "/ping/1/1").status_code == 202  # the first one opens connections
    answer = post(stack, "/ping/30000/100")
    run = finished(stack, answer)
    ledger.wait_until_consumed()

    assert answer.status_code == 202
    assert answer.elapsed.total_seconds() < 0.5
    assert answer.headers["Retry-After"]
    assert answer.headers["Location"] == f"/runs/{answer.json()['id']}"
    assert answer.json()["links"] == {"self": f"/runs/{run['id']}", "events": f"/runs/{run['id']}/events"}
    assert list(run["stages"]) == PING_STAGES
    assert_complete(run, 30_000)
    assert {stage["duplicates"] for stage in run["stages"].values()} == {0}
    p50 = [run["stages"][name]["latency_ms"]["p50"] for name in ("pong_received", "ping_received")]
    assert p50[0] < p50[1]
    assert {stage["partitions"].keys() == set("0123") for stage in run["stages"].values()} == {True}


def test_a_run_of_pong_has_two_stages(stack):
    run = finished(stack, post(stack, "/pong/500/10"))

    assert list(run["stages"]) == ["sent", "ping_received"]
    assert_complete(run, 500)


def test_preferences(stack):
    later = stack.request("GET", "/ping/500/10", headers={"Prefer": "respond-async"})
    waited = stack.request("GET", "/ping/500/10", headers={"Prefer": "respond-async, wait=20"})
    too_short = stack.request("POST", "/ping/200000/10", headers={"Prefer": "wait=0"})

    assert (later.status_code, later.headers["Preference-Applied"]) == (202, "respond-async")
    assert (waited.status_code, waited.headers["Preference-Applied"]) == (
        200,
        "respond-async, wait=15",
    )  # REQUEST_TIMEOUT
    assert_complete(waited.json(), 500)
    assert too_short.status_code == 202
    finished(stack, too_short)


def test_the_plain_get_links_to_its_run(stack):
    answer = stack.get("/ping/700/10")
    target, relation = answer.headers["Link"].split("; ")

    assert relation == 'rel="describedby"'
    eventually(lambda: stack.get(target.strip("<>")).json()["state"] == "done")
    assert_complete(stack.get(target.strip("<>")).json(), 700)
    assert len(answer.json()) == 5


def test_one_key_is_one_run_and_no_other(stack, ledger):
    key = str(uuid.uuid4())
    with ThreadPoolExecutor(8) as pool:  # at both of the API's processes
        answers = list(pool.map(lambda _: post(stack, "/ping/300/10", **{"Idempotency-Key": key}), range(16)))
    other = post(stack, "/ping/301/10", **{"Idempotency-Key": key})
    assert_complete(finished(stack, answers[0]), 300)
    ledger.wait_until_consumed()

    assert {(answer.status_code, answer.headers["Location"]) for answer in answers} == {(202, f"/runs/{key}")}
    assert (other.status_code, other.headers["Content-Type"]) == (422, "application/problem+json")
    assert "/ping/300/10" in other.json()["detail"]
    assert ledger.count("pong") == ledger.count("ping") == 300


def test_a_run_waits_for_a_service_that_is_down(stack):
    stack.ping.terminate()
    answer = post(stack, "/ping/500/10")
    waiting = eventually(lambda: (run := run_of(stack, answer))["stalled"] and run)
    stack.start_service("ping")

    assert answer.status_code == 202
    assert (waiting["state"], waiting["stalled"]) == ("accepted", "sent")
    assert_complete(finished(stack, answer), 500)


def test_a_run_that_stands_still_says_which_stage_waits(stack):
    stack.pong.terminate()
    answer = post(stack, "/ping/500/10")
    waiting = eventually(lambda: (run := run_of(stack, answer))["stalled"] and run)
    stack.start_service("pong")

    assert (waiting["state"], waiting["stalled"]) == ("bouncing", "pong_received")
    assert waiting["stages"]["pong_received"]["missing"] == 500
    assert_complete(finished(stack, answer), 500)


def test_no_more_than_so_many_runs_at_a_time(stack):
    stack.ping.terminate()
    port, _ = stack.start_api(RUNS_PENDING="2", RUN_STALLED="60")
    url = f"http://127.0.0.1:{port}/ping/10/10"
    eventually(lambda: requests.get(f"http://127.0.0.1:{port}/healthz", timeout=5).ok)
    answers = [requests.post(url, timeout=10) for _ in range(3)]
    stack.start_service("ping")

    assert [answer.status_code for answer in answers] == [202, 202, 503]
    assert answers[2].headers["Retry-After"]
    finished(stack, answers[0])
    finished(stack, answers[1])
    eventually(lambda: requests.post(url, timeout=10).status_code == 202)


def test_a_run_can_be_stopped_and_what_was_sent_is_accounted_for(stack, ledger):
    answer = post(stack, "/ping/500000/100")
    eventually(lambda: run_of(stack, answer)["stages"]["sent"]["messages"] > 2000)
    stopping = stack.request("DELETE", answer.headers["Location"])
    run = finished(stack, answer)
    ledger.wait_until_consumed()
    run = eventually(lambda: not (run := run_of(stack, answer))["stages"]["ping_received"]["missing"] and run)

    assert stopping.status_code == 202
    assert run["state"] == "stopped"
    sent = run["stages"]["sent"]["distinct"]
    assert 2000 < sent < 500_000
    assert {stage["distinct"] for stage in run["stages"].values()} == {sent}
    assert ledger.count("ping") == ledger.count("pong") == sent


def test_a_run_that_waits_can_be_stopped_before_it_begins(stack, ledger):
    stack.ping.terminate()
    answer = post(stack, "/ping/1000/100")
    stack.request("DELETE", answer.headers["Location"])
    stopped = finished(stack, answer)
    stack.start_service("ping")
    stack.wait_until_ready()
    later = finished(stack, post(stack, "/ping/10/10"))

    assert stopped["state"] == run_of(stack, answer)["state"] == "stopped"
    assert_complete(later, 10)
    assert ledger.count("pong") == 10


def test_any_api_knows_every_run_also_after_all_were_restarted(stack):
    answer = post(stack, "/ping/5000/10")
    run = finished(stack, answer)
    port, _ = stack.start_api()
    eventually(lambda: requests.get(f"http://127.0.0.1:{port}/healthz", timeout=5).ok)
    assert requests.get(f"http://127.0.0.1:{port}/runs/{run['id']}", timeout=10).json() == run

    stack.api.popen.send_signal(signal.SIGKILL)
    stack.api.popen.wait()
    stack.port, stack.api = stack.start_api()
    stack.wait_until_ready()
    assert [run_of(stack, answer) for _ in range(6)] == [run] * 6


def test_the_newest_runs_in_pages(stack):
    ids = [finished(stack, post(stack, "/pong/1/1"))["id"] for _ in range(5)]
    first = stack.get("/runs?limit=2").json()
    second = stack.get(first["next"]).json()

    assert [run["id"] for run in first["runs"] + second["runs"]] == ids[:0:-1]
    assert stack.get("/runs/" + str(uuid.uuid4())).status_code == 404


def events(stack, path: str, **headers: str) -> list[tuple[int, dict]]:
    """All events until the end, as id and run."""
    found = []
    with stack.request("GET", path, headers=headers, stream=True) as answer:
        assert answer.headers["Content-Type"].startswith("text/event-stream")
        for block in answer.text.split("\n\n"):
            fields = dict(line.split(": ", 1) for line in block.splitlines() if ": " in line and line[0] != ":")
            if fields.get("event") == "run":
                found.append((int(fields["id"]), json.loads(fields["data"])))
    return found


def test_events_tell_of_a_run_until_it_ends(stack):
    answer = post(stack, "/ping/50000/10")
    told = events(stack, answer.headers["Location"] + "/events")
    later = events(stack, answer.headers["Location"] + "/events", **{"Last-Event-ID": str(told[0][0])})

    assert len(told) > 2
    assert [id for id, _ in told] == sorted({id for id, _ in told})
    assert_complete(told[-1][1], 50_000)
    assert told[-1][1] == run_of(stack, answer)
    assert later == told[-1:]


def test_a_queued_run_goes_on_where_a_service_was_stopped(stack, ledger):
    answer = post(stack, "/ping/200000/100")
    eventually(lambda: run_of(stack, answer)["stages"]["sent"]["messages"] > 3000)
    assert stack.ping.terminate(10)[0] == 0
    before = run_of(stack, answer)
    stack.start_service("ping")
    run = finished(stack, answer, 90)
    ledger.wait_until_consumed()

    assert (before["state"], before["stages"]["sent"]["missing"] > 0) == ("sending", True)
    assert_complete(run, 200_000)
    assert run["stages"]["sent"]["duplicates"] == 0
    assert ledger.count("pong") == ledger.count("ping") == 200_000
    assert len(run["stages"]["sent"]["instances"]) == 2


def test_two_instances_of_each_service_add_up(stack):
    others = [stack.start_service("ping"), stack.start_service("pong")]
    eventually(lambda: all(len(process.assigned()) == 2 for process in [stack.ping, stack.pong, *others]))
    run = finished(stack, post(stack, "/ping/20000/10"))

    assert_complete(run, 20_000)
    assert [len(run["stages"][name]["instances"]) for name in PING_STAGES] == [1, 2, 2, 2]


def test_foreign_records_in_the_topic_of_runs_do_no_harm(stack):
    key = f"{uuid.uuid4()}/sent/x".encode()
    produce(
        stack.brokers.kafka_bootstrap,
        "runs",
        [(b"x", None), (b"x/y/z", b"{}"), (key, b"{}"), (key, b"[1]"), (key, b"\xff"), (b"\xff", b"1")],
    )
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


def test_kafka_absent_is_said(stack):
    stack.brokers.kafka.suspend()
    try:
        started = time.perf_counter()
        answer = post(stack, "/ping/10/10")
        seconds = time.perf_counter() - started
    finally:
        stack.brokers.kafka.resume()

    assert (answer.status_code, "Kafka does not answer" in answer.json()["detail"]) == (503, True)
    assert seconds < 12
    stack.wait_until_ready()
