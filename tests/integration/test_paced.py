"""Paced runs: each stamp contains the time when its message was due, even if the message was sent later."""

import json
from datetime import datetime

from messaging.runs.stamp import unpack
from tests.integration.ledger import Ledger
from tests.integration.processes import eventually
from tests.integration.runs import assert_complete, finished, post, run_of
from tests.integration.terminal import client


def due_times(ledger: Ledger) -> dict[int, int]:
    """Return the times from the stamps in topic `pong`, by message number. The times are in microseconds."""
    ledger.wait_until_consumed()
    return {number: time for _, number, time in (unpack(record.key) for record in ledger.records("pong"))}


def assert_on_schedule(times: dict[int, int], count: int, rate: int) -> None:
    """Raise AssertionError unless message n was due n / `rate` seconds after message 0, for each n."""
    assert times == {number: times[0] + number * 1_000_000 // rate for number in range(count)}


def test_a_run_is_sent_at_its_rate(stack, ledger):
    ended = client(stack.port, "ping", "300", "100", "--rate", "100", "--json")
    run = json.loads(ended.stdout)
    verified = client(stack.port, "verify", run["id"], "--exact", KAFKA_BOOTSTRAP_SERVERS=stack.brokers.kafka_bootstrap)

    assert_complete(run, 300)
    assert run["rate"] == 100
    assert_on_schedule(due_times(ledger), 300, 100)
    for name, stage in run["stages"].items():
        seconds = (at(stage["last"]) - at(stage["first"])).total_seconds()
        assert 2.7 < seconds < 5, name  # message 299 is due 2.99 s after message 0
        assert 0 < stage["latency_ms"]["p50"] < 500, name
    assert run["stages"]["sent"]["behind_seconds"] < 1
    assert (verified.returncode, verified.stderr) == (0, "")


def test_a_get_of_a_paced_run_waits_for_its_end(stack):
    answer = stack.get("/pong/50/100?rate=100")

    assert answer.status_code == 200
    assert 0.48 < answer.json()["total time"] < 3


def test_a_get_refuses_a_long_run_but_accepts_it_with_respond_async(stack):
    """The accepted run can be stopped."""
    path = "/pong/160/100?rate=8"  # 20 s; the stack's REQUEST_TIMEOUT is 15 s
    refused = stack.get(path)
    answer = stack.request("GET", path, headers={"Prefer": "respond-async"})
    eventually(lambda: run_of(stack, answer)["stages"]["sent"]["messages"] > 2)
    stack.request("DELETE", answer.headers["Location"])
    run = finished(stack, answer, 10)

    assert (refused.status_code, "Use POST" in refused.json()["detail"]) == (400, True)
    assert answer.status_code == 202
    assert run["state"] == "stopped"
    assert 2 < run["stages"]["sent"]["distinct"] < 100


def test_a_run_continues_on_schedule_after_its_service_was_stopped(stack, ledger):
    answer = post(stack, "/ping/1000/100?rate=200")
    eventually(lambda: run_of(stack, answer)["stages"]["sent"]["messages"] > 100)
    assert stack.ping.terminate(10)[0] == 0
    behind = eventually(lambda: (stage := run_of(stack, answer)["stages"]["sent"])["behind_seconds"] > 1 and stage)
    stack.start_service("ping")
    run = finished(stack, answer)

    assert_on_schedule(due_times(ledger), 1000, 200)
    assert ledger.count("pong") == 1000
    assert_complete(run, 1000)
    assert behind["missing"] > 0
    assert len(run["stages"]["sent"]["instances"]) == 2
    assert run["stages"]["sent"]["latency_ms"]["max"] > 1000, "the latency does not include the pause"


def at(time: str) -> datetime:
    return datetime.fromisoformat(time)
