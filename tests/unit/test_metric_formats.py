"""The metrics as text and as JSON, their history, and the missing values if a probe gets no answer."""

import os
import shutil
import subprocess

import pytest
from prometheus_client.parser import text_string_to_metric_families

from api.metrics import recorder as module
from api.metrics.definitions import METRICS
from api.metrics.formats import EVERY, as_json, as_text
from api.metrics.probe import FRESH_SECONDS, PACE_SECONDS, WINDOW_SECONDS, Probe
from api.metrics.recorder import Recorder
from api.metrics.values import values_at
from tests.integration.contract import DESCRIPTION, validate
from tests.unit.fakes import Clock
from tests.unit.metrics_fakes import kafka_look, rabbit_look, totals_look


class Process:
    """The metrics of one API process. Kafka answers while `kafka_is_up`. Topic pong gets 100 messages per second."""

    def __init__(self) -> None:
        self.clock = Clock()
        self.kafka_is_up = True
        self.kafka = Probe("Kafka", self._look_at_kafka, self.clock)
        self.rabbitmq = Probe("RabbitMQ", lambda: rabbit_look(self.clock()), self.clock)
        self.recorder = Recorder(self.kafka, self.rabbitmq, self._totals, self.clock)

    def _look_at_kafka(self):
        if not self.kafka_is_up:
            raise OSError("gone")
        came = round(self.clock()) * 50
        return kafka_look(self.clock(), ends=[came, came], committed=[came - 10, came - 20], brokers={1: 0, 2: 1})

    def _totals(self):
        return totals_look(sent=100, pong_received=100, pong_answered=100, ping_received=100).totals

    def turn(self, times: int = 1) -> None:
        for _ in range(times):
            self.clock.advance(PACE_SECONDS)
            self.kafka.look()
            self.rabbitmq.look()
            self.recorder.record()

    def json(self) -> dict:
        described = as_json(self.recorder.newest(), self.recorder.history())
        validate(described, DESCRIPTION["components"]["schemas"]["Metrics"], "JSON")
        return described

    def value(self, name: str, **labels: str) -> float | None:
        found = self.json()["metrics"][name]["values"]
        return next((value["value"] for value in found if value["labels"] == labels), None)


@pytest.fixture
def process():
    process = Process()
    process.turn(20)
    return process


def test_every_metric_has_a_value_in_both_formats(process):
    families = {family.name for family in text_string_to_metric_families(as_text(process.recorder.newest()).decode())}

    assert {metric.name.removesuffix("_total") for metric in METRICS} == families
    assert all(metric["values"] for metric in process.json()["metrics"].values())


def test_both_formats_have_the_same_numbers(process):
    text = {
        (sample.name, tuple(sorted(sample.labels.items()))): sample.value
        for family in text_string_to_metric_families(as_text(process.recorder.newest()).decode())
        for sample in family.samples
        if family.type != "histogram"
    }
    json = {
        (name, tuple(sorted(value["labels"].items()))): value["value"]
        for name, metric in process.json()["metrics"].items()
        if metric["type"] != "histogram"
        for value in metric["values"]
    }

    assert text == json


def test_promtool_finds_nothing_wrong(process):
    promtool = shutil.which("promtool") or os.environ.get("PROMTOOL")
    if not promtool:
        pytest.skip("promtool is missing here: apt-get install prometheus, or set PROMTOOL.")
    check = subprocess.run(
        [promtool, "check", "metrics"], input=as_text(process.recorder.newest()), capture_output=True, timeout=20
    )

    assert (check.returncode, check.stderr.decode()) == (0, "")


def test_gauges_have_a_history_with_all_partitions_merged(process):
    described = process.json()
    [lag] = described["metrics"]["pingpong_consumer_lag_messages"]["history"]
    [seconds] = described["metrics"]["pingpong_consumer_lag_seconds"]["history"]

    assert len(described["times"]) == 7
    assert lag == {"labels": {"group": "pong"}, "values": [30.0] * 7}
    assert seconds == {"labels": {"group": "pong"}, "values": [0.5] * 7}


def test_the_history_is_bounded(process):
    process.turn(200)

    assert len(process.json()["times"]) == module.HISTORY_SECONDS / PACE_SECONDS / EVERY


def test_only_the_metrics_from_kafka_are_absent_while_kafka_is_away(process):
    assert process.value("pingpong_topic_messages_per_second", topic="pong") == 100
    process.kafka_is_up = False
    process.turn()

    assert process.value("pingpong_kafka_up") == 0
    assert process.value("pingpong_rabbitmq_up") == 1
    assert process.value("pingpong_topic_messages_per_second", topic="pong") is None
    assert process.value("pingpong_runs", state="done") == 1
    assert process.json()["metrics"]["pingpong_topic_messages_per_second"]["history"][0]["values"][-1] is None


def test_rates_start_again_after_kafka_was_away(process):
    process.kafka_is_up = False
    process.turn()
    process.kafka_is_up = True
    process.turn()
    assert process.value("pingpong_topic_messages_per_second", topic="pong") is None

    process.turn()
    assert process.value("pingpong_topic_messages_per_second", topic="pong") == 100


def test_kafka_counts_as_down_after_its_probe_has_hung_for_a_while(process):
    for _ in range(FRESH_SECONDS // PACE_SECONDS):
        process.clock.advance(PACE_SECONDS)
        process.recorder.record()
        assert process.value("pingpong_kafka_up") == 1

    process.clock.advance(PACE_SECONDS)
    process.recorder.record()
    assert process.value("pingpong_kafka_up") == 0


def test_values_that_are_no_longer_renewed_are_not_shown(process):
    process.clock.advance(FRESH_SECONDS + 1)

    assert process.value("pingpong_kafka_up") == 0
    assert process.value("pingpong_runs", state="done") is None


def test_a_probe_keeps_the_looks_of_the_last_10_seconds(process):
    looks = process.kafka.recent()

    assert looks[-1].at - looks[0].at == WINDOW_SECONDS


def test_nothing_is_known_before_the_first_look():
    text = as_text(values_at(0, (), (), ())).decode()

    assert [line for line in text.splitlines() if line[0] != "#"] == [
        "pingpong_kafka_up 0.0",
        "pingpong_rabbitmq_up 0.0",
    ]
