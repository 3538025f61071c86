"""The consumers' logs: exactly one line per CONSUMER_METRIC_BATCH messages, as text or as JSON."""

import json

import requests

from tests.integration.processes import all_serve, eventually


def test_both_consumers_log_a_line_per_hundred_messages(fresh_stack, ledger):
    assert fresh_stack.get("/ping/10000/100").status_code == 200
    ledger.wait_until_consumed()

    for process, topic in (fresh_stack.pong, "pong"), (fresh_stack.ping, "ping"):
        lines = eventually(lambda p=process: len(p.stats()) >= 100 and p.stats())
        assert [line["total"] for line in lines] == [100 * (number + 1) for number in range(100)]
        assert {line["topic"] for line in lines} == {topic}
        assert {line["messages"] for line in lines} == {100}
        assert {line["unstamped"] for line in lines} == {0}
        assert all(line["seconds"] > 0 and line["message_rate"] > 0 and line["byte_rate"] > 0 for line in lines)
        assert all(0 <= line["latency_p50_ms"] <= line["latency_max_ms"] < 60_000 for line in lines)


def test_a_line_can_count_the_messages_of_several_requests(fresh_stack, ledger):
    assert fresh_stack.get("/pong/250/10").status_code == 200
    ledger.wait_until_consumed()
    eventually(lambda: len(fresh_stack.ping.stats()) == 2)

    for _ in range(5):
        assert fresh_stack.get("/pong/10/10").status_code == 200
    ledger.wait_until_consumed()
    eventually(lambda: len(fresh_stack.ping.stats()) == 3)
    assert fresh_stack.ping.stats()[-1]["total"] == 300
    assert fresh_stack.pong.stats() == []


def test_the_environment_sets_the_number_of_messages_per_line(fresh_stack, ledger):
    fresh_stack.ping.terminate()
    ping = fresh_stack.start_service("ping", CONSUMER_METRIC_BATCH="7")
    fresh_stack.wait_until_ready()
    assert fresh_stack.get("/pong/50/10").status_code == 200
    ledger.wait_until_consumed()

    eventually(lambda: len(ping.stats()) == 7)
    assert {line["messages"] for line in ping.stats()} == {7}


def test_every_line_can_be_json(fresh_stack, ledger):
    fresh_stack.ping.terminate()
    ping = fresh_stack.start_service("ping", LOG_FORMAT="json")
    port, api = fresh_stack.start_api(LOG_FORMAT="json")
    fresh_stack.wait_until_ready()
    eventually(lambda: all_serve(port))
    answer = requests.get(f"http://127.0.0.1:{port}/pong/100/10", timeout=60)
    assert answer.status_code == 200, answer.text
    ledger.wait_until_consumed()
    eventually(lambda: "total=100 " in ping.log)
    api.terminate()
    ping.terminate()

    for process, service in (ping, "ping"), (api, "api"):
        lines = [json.loads(line) for line in process.log.splitlines()]
        assert lines
        assert {line["service"] for line in lines} == {service}
    (line,) = (line for line in map(json.loads, ping.log.splitlines()) if "messages" in line)
    assert (line["topic"], line["messages"], line["total"]) == ("ping", 100, 100)
