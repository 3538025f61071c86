"""The key metrics of the real stack show what was sent. Each has a value, except the two that compare brokers."""

import os
import re
import shutil
import socket
import subprocess
import time

import pytest
import requests
from prometheus_client.parser import text_string_to_metric_families

from api.metrics import definitions as d
from api.metrics.definitions import METRICS
from api.metrics.probe import FRESH_SECONDS, PACE_SECONDS
from messaging.extensions import metrics as service
from tests.integration.processes import LoggedProcess, Stack, eventually
from tests.kafka import client_at

MESSAGES = 5000
OF_SEVERAL_BROKERS = {d.LEADER_SKEW.name, d.BROKER_SKEW.name}
COUNTERS = [metric.name for metric in METRICS if metric.kind == d.COUNTER]
OF_SERVICES = {
    service.WORKERS, service.BUSY, service.STALL,
    *(f"{name}_total" for name in (service.ACKNOWLEDGED, service.FAILED, service.AGAIN, service.RECEIVED)),
}  # fmt: skip


class Scrape(dict[tuple, float]):
    """Values by name and labels, as Prometheus reads them."""

    def __init__(self, text: str):
        super().__init__()
        self.text = text
        for family in text_string_to_metric_families(text):
            for sample in family.samples:
                self[sample.name, *sorted(sample.labels.items())] = sample.value

    @property
    def names(self) -> set[str]:
        return {key[0] for key in self}

    def of(self, name: str, **labels: str) -> float:
        """The sum of the values with these labels. Raises AssertionError if there are none."""
        found = [value for key, value in self.items() if key[0] == name and set(labels.items()) <= set(key[1:])]
        assert found, f"no {name} with {labels}"
        return sum(found)


def of_api(stack: Stack) -> Scrape:
    answer = stack.get("/metrics")
    assert answer.elapsed.total_seconds() < 2
    return Scrape(answer.text)


def of_service(process: LoggedProcess) -> Scrape:
    [address] = re.findall(r"metrics at (http://127\.0\.0\.1:\d+/metrics)", process.log)
    return Scrape(requests.get(address, timeout=10).text)


def send(stack: Stack, service: str = "ping", count: int = MESSAGES) -> None:
    assert stack.get(f"/{service}/{count}/100").status_code == 200


def lag(stack: Stack, group: str) -> float:
    return of_api(stack).of(d.LAG.name, group=group)


def wait_for_looks(stack: Stack) -> None:
    """Wait until every process of the API has measured again, and shows the result."""
    now = time.time()
    for _ in range(8):  # each request may reach any process
        eventually(lambda: stack.get("/metrics.json").json()["at"] > now + 2 * PACE_SECONDS)


@pytest.fixture
def before(stack):
    """The values before the test, when everything was committed."""
    wait_for_looks(stack)
    eventually(lambda: {*COUNTERS} <= of_api(stack).names and lag(stack, "ping") + lag(stack, "pong") == 0)
    return of_api(stack)


def test_every_metric_has_a_value_after_a_run_except_those_that_compare_brokers(stack, before):
    send(stack)
    wanted = {metric.name for metric in METRICS} - OF_SEVERAL_BROKERS - {d.LATENCY.name}

    eventually(lambda: wanted <= of_api(stack).names, what="not all metrics have a value")
    for process in stack.ping, stack.pong:
        assert of_service(process).names >= OF_SERVICES
    json = stack.get("/metrics.json").json()["metrics"]
    assert {name for name, metric in json.items() if metric["values"]} == wanted | {d.LATENCY.name}
    assert not OF_SEVERAL_BROKERS & of_api(stack).names


def test_the_counters_show_how_many_messages_were_sent_received_and_answered(stack, before):
    def growth(name: str, **labels: str) -> float:
        return of_api(stack).of(name, **labels) - before.of(name, **labels)

    send(stack)
    eventually(lambda: stack.get("/runs?limit=1").json()["runs"][0]["state"] == "done")
    wait_for_looks(stack)

    for name in "ping", "pong":
        assert growth(d.PRODUCER_MESSAGES.name, service=name) == MESSAGES
    assert growth(d.PRODUCER_BYTES.name, service="ping") == 100 * MESSAGES
    for topic in "ping", "pong":
        assert growth(d.TOPIC_MESSAGES.name, topic=topic) == MESSAGES
        assert growth(d.CONSUMER_MESSAGES.name, group=topic) == MESSAGES
    for stage in "sent", "pong_received", "pong_answered", "ping_received":
        assert growth(f"{d.LATENCY.name}_count", service="ping", stage=stage) == MESSAGES
    assert growth(d.DUPLICATES.name) == growth(d.PRODUCER_FAILED.name) == 0
    assert of_api(stack).of(d.MISSING.name) == before.of(d.MISSING.name)


@pytest.mark.parametrize(("name", "other"), [("ping", "pong"), ("pong", "ping")])
def test_a_service_reports_how_many_messages_it_has_sent_and_received(stack, name, other):
    process: LoggedProcess = getattr(stack, name)
    before = of_service(process)
    send(stack)

    for counter, topic in (service.ACKNOWLEDGED, other), (service.RECEIVED, name):
        wanted = MESSAGES + (before.of(f"{counter}_total", topic=topic) if f"{counter}_total" in before.names else 0)
        eventually(lambda c=counter, t=topic, w=wanted: of_service(process).of(f"{c}_total", topic=t) == w)
    assert of_service(process).of(f"{service.FAILED}_total") == 0


def test_every_process_of_the_api_reports_the_same_counters(stack, before):
    send(stack)
    eventually(lambda: of_api(stack).of(d.RUNS.name, state="done") > before.of(d.RUNS.name, state="done"))
    wait_for_looks(stack)  # after that, no counter changes any more
    reported = [{key: value for key, value in of_api(stack).items() if key[0] in COUNTERS} for _ in range(20)]

    assert all(counters == reported[0] for counters in reported)


def test_load_on_one_partition_moves_the_skew_of_its_topic(stack, brokers, before):
    send(stack, "pong")
    spread = eventually(lambda: of_api(stack).of(d.MESSAGE_SKEW.name, topic="ping"))
    eventually(lambda: (d.MESSAGE_SKEW.name, ("topic", "ping")) not in of_api(stack), what="the skew is still shown")

    producer = client_at(brokers.kafka_bootstrap).producer()
    assert producer.send("ping", [None] * MESSAGES, [b"x"] * MESSAGES, [2] * MESSAGES).wait(20)
    producer.close(1)

    assert 1 <= spread < 1.5
    # One process of the API may still show the old skew for a moment.
    eventually(lambda: of_api(stack).of(d.MESSAGE_SKEW.name, topic="ping") == 4, what="the skew is not 4")


def test_the_lag_of_a_frozen_service_gets_older(stack, before):
    stack.pong.freeze()
    send(stack)

    eventually(lambda: lag(stack, "pong") == MESSAGES)
    first = of_api(stack).of(d.LAG_SECONDS.name, group="pong", partition="0")
    eventually(lambda: of_api(stack).of(d.LAG_SECONDS.name, group="pong", partition="0") > first + 3)
    stack.pong.resume()
    eventually(lambda: lag(stack, "pong") == 0)
    assert of_api(stack).of(d.LAG_SECONDS.name, group="pong") == 0


def test_metrics_come_at_once_while_kafka_is_frozen_and_show_that_it_is_down(stack, brokers, before):
    brokers.kafka.suspend()
    eventually(lambda: of_api(stack).of(d.KAFKA_UP.name) == 0, FRESH_SECONDS + 10)
    away = of_api(stack)
    brokers.kafka.resume()

    assert away.of(d.RABBITMQ_UP.name) == 1
    assert not {d.LAG.name, d.TOPIC_MESSAGES.name, d.BROKER_BYTES.name} & away.names
    eventually(lambda: of_api(stack).of(d.KAFKA_UP.name) == 1, 60)


def test_a_silent_client_of_the_metrics_does_not_delay_the_stop_of_a_service(stack):
    [port] = re.findall(r"metrics at http://127\.0\.0\.1:(\d+)/metrics", stack.ping.log)
    with socket.create_connection(("127.0.0.1", int(port))):
        code, seconds = stack.ping.terminate()

    assert code == 0
    assert seconds < 8


def test_promtool_finds_nothing_wrong(stack, before):
    promtool = shutil.which("promtool") or os.environ.get("PROMTOOL")
    if not promtool:
        pytest.skip("promtool is missing here: apt-get install prometheus, or set PROMTOOL.")
    for scrape in of_api(stack), of_service(stack.ping), of_service(stack.pong):
        command = [promtool, "check", "metrics"]
        check = subprocess.run(command, input=scrape.text.encode(), capture_output=True, timeout=20)
        assert (check.returncode, check.stderr.decode()) == (0, "")
