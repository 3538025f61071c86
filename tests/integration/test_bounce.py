"""Messages bounce. The responses and the topics show what the specification promises."""

import math
from collections import Counter
from concurrent.futures import ThreadPoolExecutor

import pytest

from messaging.runs.stamp import unpack

FIGURES = ["num_messages", "size", "total time", "byte rate (MB/s)", "message rate (msg/s)"]


def test_every_message_of_ping_reaches_pong_and_its_answer_comes_back_unchanged(stack, ledger):
    answer = stack.get("/ping/10000/100")
    ledger.wait_until_consumed()
    sent, answered = ledger.records("pong"), ledger.records("ping")

    assert answer.status_code == 200
    assert sorted(unpack(record.key)[1] for record in sent) == list(range(10_000))
    assert len({unpack(record.key)[0] for record in sent}) == 1
    assert {len(record.value) for record in sent} == {100}
    assert len({record.partition for record in sent}) == 4
    for partition in range(4):
        messages = [[(r.key, r.value) for r in records if r.partition == partition] for records in (sent, answered)]
        assert messages[0] == messages[1]


def test_pong_sends_to_ping_and_ping_does_not_answer(stack, ledger):
    assert stack.get("/pong/1000/100").status_code == 200
    ledger.wait_until_consumed()

    assert (ledger.count("ping"), ledger.count("pong")) == (1000, 0)


@pytest.mark.parametrize("service", ["ping", "pong"])
def test_the_response_has_exactly_five_figures(stack, service):
    answer = stack.get(f"/{service}/500/200")
    figures = answer.json()

    assert answer.headers["Content-Type"] == "application/json"
    assert list(figures) == FIGURES
    assert (figures["num_messages"], figures["size"]) == (500, 200)
    assert 0 < figures["total time"] <= answer.elapsed.total_seconds()
    assert math.isclose(figures["message rate (msg/s)"], 500 / figures["total time"])
    assert math.isclose(figures["byte rate (MB/s)"], 500 * 200 / 1e6 / figures["total time"])


@pytest.mark.parametrize("size", [0, 1, 1_000_000])
def test_the_smallest_and_the_largest_messages_arrive(stack, ledger, size):
    assert stack.get(f"/ping/3/{size}").status_code == 200
    ledger.wait_until_consumed()

    assert [len(record.value) for record in ledger.records("ping")] == [size] * 3


def test_one_byte_too_many_is_refused_and_nothing_is_sent(stack, ledger):
    answer = stack.get("/ping/3/1000001")

    assert (answer.status_code, answer.headers["Content-Type"]) == (400, "application/problem+json")
    assert "1000000" in answer.json()["detail"]
    assert ledger.count("pong") == 0


def test_concurrent_runs_do_not_mix(stack, ledger):
    with ThreadPoolExecutor(12) as pool:
        answers = list(pool.map(stack.get, ["/ping/2000/50", "/pong/2000/50"] * 10))
    ledger.wait_until_consumed()

    assert {answer.status_code for answer in answers} == {200}
    runs = Counter(unpack(record.key)[0] for record in ledger.records("ping"))
    assert sorted(runs.values()) == [2000] * 20
