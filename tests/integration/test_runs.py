"""Runs are accepted at once, wait for services that are down, can be stopped, and are counted to the last message."""

import time
import uuid
from concurrent.futures import ThreadPoolExecutor

import requests

from tests.integration.processes import all_serve, eventually, link
from tests.integration.runs import assert_complete, finished, post, run_of

PING_STAGES = ["sent", "pong_received", "pong_answered", "ping_received"]


def test_a_run_is_accepted_immediately_and_every_stage_counts_every_message(stack, ledger):
    assert post(stack, "/ping/1/1").status_code == 202  # the first one opens connections
    answer = post(stack, "/ping/30000/100")
    run = finished(stack, answer)
    ledger.wait_until_consumed()

    assert answer.status_code == 202
    assert answer.json()["state"] in ("accepted", "sending")  # nobody waited for the run
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


def test_one_idempotency_key_is_one_run(stack, ledger):
    key = str(uuid.uuid4())
    with ThreadPoolExecutor(8) as pool:  # so that both API processes get requests
        answers = list(pool.map(lambda _: post(stack, "/ping/300/10", **{"Idempotency-Key": key}), range(16)))
    other = post(stack, "/ping/301/10", **{"Idempotency-Key": key})
    again = stack.request("GET", "/ping/300/10", headers={"Idempotency-Key": key})
    assert_complete(finished(stack, answers[0]), 300)
    ledger.wait_until_consumed()

    assert {(answer.status_code, answer.headers["Location"]) for answer in answers} == {(202, f"/runs/{key}")}
    assert (other.status_code, other.headers["Content-Type"]) == (422, "application/problem+json")
    assert "/ping/300/10" in other.json()["detail"]
    assert other.json()["instance"] == again.json()["instance"] == f"/runs/{key}"
    assert (again.status_code, link(again)) == (409, f"/runs/{key}")
    assert ledger.count("pong") == ledger.count("ping") == 300


def test_a_run_waits_for_a_service_that_is_down(stack):
    stack.ping.terminate()
    answer = post(stack, "/ping/500/10")
    waiting = eventually(lambda: (run := run_of(stack, answer))["stalled"] and run)
    stack.start_service("ping")

    assert answer.status_code == 202
    assert (waiting["state"], waiting["stalled"]) == ("accepted", "sent")
    assert_complete(finished(stack, answer), 500)


def test_a_stalled_run_says_which_stage_waits(stack):
    stack.pong.terminate()
    answer = post(stack, "/ping/500/10")
    waiting = eventually(lambda: (run := run_of(stack, answer))["stalled"] and run)
    stack.start_service("pong")

    assert (waiting["state"], waiting["stalled"]) == ("bouncing", "pong_received")
    assert waiting["stages"]["pong_received"]["missing"] == 500
    assert_complete(finished(stack, answer), 500)


def test_the_number_of_runs_at_a_time_is_limited(stack):
    stack.ping.terminate()
    port, _ = stack.start_api(RUNS_PENDING="2", RUN_STALLED="60")
    url = f"http://127.0.0.1:{port}/ping/10/10"
    eventually(lambda: all_serve(port))
    answers = [requests.post(url, timeout=10) for _ in range(3)]
    stack.start_service("ping")

    assert [answer.status_code for answer in answers] == [202, 202, 503]
    assert answers[2].headers["Retry-After"]
    finished(stack, answers[0])
    finished(stack, answers[1])
    eventually(lambda: requests.post(url, timeout=10).status_code == 202)


def test_a_run_can_be_stopped_and_its_sent_messages_are_counted(stack, ledger):
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


def test_a_posted_run_continues_after_its_service_was_stopped(stack, ledger):
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


def test_the_counts_of_two_instances_of_each_service_add_up(stack):
    others = [stack.start_service("ping"), stack.start_service("pong")]
    eventually(lambda: all(len(process.assigned()) == 2 for process in [stack.ping, stack.pong, *others]))
    run = finished(stack, post(stack, "/ping/20000/10"))

    assert_complete(run, 20_000)
    assert [len(run["stages"][name]["instances"]) for name in PING_STAGES] == [1, 2, 2, 2]


def test_a_frozen_kafka_is_reported(stack):
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
