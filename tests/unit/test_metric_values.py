"""The values of the metrics, from fake measurements of brokers and runs. Unknown values are absent, and not 0."""

from dataclasses import replace

import pytest

from api.metrics import definitions as d
from api.metrics.definitions import METRICS, Metric
from api.metrics.values import Values, values_at
from messaging.clients.protocols import Partition
from tests.unit.metrics_fakes import AT, kafka_look, rabbit_look, totals_look


def of(metric: Metric, values: Values) -> dict:
    """Return the values of a metric by labels, or its only value if it has no labels. {} if it has no value."""
    found = values.numbers.get(metric, {})
    return found[()] if () in found else dict(found)


def kafka(*looks) -> Values:
    return values_at(AT, looks, (), ())


def test_both_brokers_are_down_and_all_other_values_are_unknown_without_measurements():
    values = values_at(AT, (), (), ())

    assert {metric: of(metric, values) for metric in METRICS if of(metric, values) != {}} == {
        d.KAFKA_UP: 0,
        d.RABBITMQ_UP: 0,
    }
    assert values.histograms == {}


def test_brokers_that_answer_are_up():
    assert of(d.KAFKA_UP, values_at(AT, [kafka_look()], (), ())) == 1
    assert of(d.RABBITMQ_UP, values_at(AT, (), [rabbit_look()], ())) == 1


def test_one_broker_and_one_partition_have_no_skew():
    values = kafka(kafka_look(AT - 2, ends=[0], log_bytes=[0]), kafka_look(ends=[10], log_bytes=[10]))

    assert of(d.BROKER_COUNT, values) == 1
    for metric in d.LEADER_SKEW, d.BROKER_SKEW, d.MESSAGE_SKEW, d.TOPIC_SKEW:
        assert of(metric, values) == {}


def test_the_skew_of_brokers_is_the_largest_value_divided_by_the_mean():
    values = kafka(kafka_look(brokers={1: 4, 2: 0, 3: 6}, log_bytes=[1000, 1000]))

    assert of(d.BROKER_LEADERS, values) == {("1",): 6, ("2",): 0, ("3",): 6}
    assert of(d.LEADER_SKEW, values) == 1.5
    assert of(d.BROKER_BYTES, values) == {("1",): 6000, ("2",): 0, ("3",): 6000}
    assert of(d.BROKER_SKEW, values) == 1.5


def test_the_message_skew_of_a_topic_counts_only_recent_messages():
    before = kafka_look(AT - 10, ends=[1_000_000, 0, 0, 0], log_bytes=[0] * 4)
    even = kafka_look(ends=[1_000_100, 100, 100, 100], log_bytes=[100] * 4)
    one = kafka_look(ends=[1_000_000, 400, 0, 0], log_bytes=[0, 400, 0, 0])

    assert of(d.MESSAGE_SKEW, kafka(before, even)) == {("pong",): 1}
    assert of(d.MESSAGE_SKEW, kafka(before, one)) == {("pong",): 4}
    assert of(d.MESSAGE_SKEW, kafka(before, replace(before, at=AT))) == {}
    assert of(d.TOPIC_SKEW, kafka(before, one)) == {("pong",): 4}


def test_rates_and_growth_are_per_second_since_the_first_look():
    looks = (
        kafka_look(AT - 10, ends=[0, 0], committed=[0, 0], log_bytes=[0, 0]),
        kafka_look(AT - 5, ends=[9, 9], committed=[9, 9], log_bytes=[9, 9]),
        kafka_look(AT, ends=[600, 400], committed=[200, 300], log_bytes=[60_000, 40_000]),
    )
    values = kafka(*looks)

    assert of(d.TOPIC_RATE, values) == {("pong",): 100}
    assert of(d.CONSUMER_RATE, values) == {("pong",): 50}
    assert of(d.TOPIC_GROWTH, values) == {("pong",): 10_000}
    assert of(d.BROKER_GROWTH, values) == {("1",): 10_000}


def test_one_look_has_no_rates():
    values = kafka(kafka_look())

    for metric in d.TOPIC_RATE, d.CONSUMER_RATE, d.TOPIC_GROWTH, d.BROKER_GROWTH, d.MESSAGE_SKEW:
        assert of(metric, values) == {}


def test_the_lag_does_not_count_messages_that_kafka_has_deleted():
    values = kafka(kafka_look(ends=[100, 100, 100], committed=[0, 70, 100], beginnings=[40, 0, 0], log_bytes=[0] * 3))

    assert of(d.LAG, values) == {("pong", "0"): 60, ("pong", "1"): 30, ("pong", "2"): 0}
    assert of(d.LAG_SECONDS, values)["pong", "0"] == 0.5


def test_the_rate_of_a_new_topic_ignores_the_looks_before_its_creation():
    looks = [kafka_look(AT - at, ends=[], log_bytes=[]) for at in (10, 8)]
    values = kafka(*looks, kafka_look(AT - 4, ends=[0, 0]), kafka_look(ends=[200, 200]))

    assert of(d.TOPIC_RATE, values) == {("pong",): 100}


def test_a_partition_without_a_leader_is_left_out():
    look = kafka_look()
    gone = Partition("pong", 1)
    left = {name: {p: v for p, v in getattr(look, name).items() if p != gone} for name in ("leaders", "ends")}
    values = kafka(replace(look, committed={Partition("pong", 0): 100}, **left))

    assert of(d.TOPIC_MESSAGES, values) == {("pong", "0"): 100}


def test_calls_and_instances_are_counted_per_queue():
    values = values_at(AT, (), [rabbit_look()], ())

    assert of(d.QUEUE_MESSAGES, values) == {("ping",): 3, ("pong",): 0}
    assert of(d.QUEUE_CONSUMERS, values) == {("ping",): 1, ("pong",): 0}


def test_in_a_run_of_ping_the_messages_count_for_ping_and_the_answers_for_pong():
    looks = [totals_look(AT - 10), totals_look(AT, sent=100, pong_received=90, pong_answered=80)]
    values = values_at(AT, (), (), looks)

    assert of(d.PRODUCER_MESSAGES, values) == {("ping",): 100, ("pong",): 80}
    assert of(d.PRODUCER_BYTES, values) == {("ping",): 10_000, ("pong",): 8_000}
    assert of(d.PRODUCER_RATE, values) == {("ping",): 10, ("pong",): 8}
    assert of(d.STAGE_MESSAGES, values)["ping", "pong_received"] == 90


def test_each_latency_bucket_includes_the_smaller_ones():
    values = values_at(AT, (), (), [totals_look(AT, sent=100)])
    histogram = values.histograms["ping", "sent"]

    assert list(histogram.counts) == [0, 0] + [100] * 15
    assert histogram.sum == pytest.approx(0.3)


def test_message_counts_are_absent_if_the_process_has_missed_runs():
    look = totals_look(AT, sent=100)
    values = values_at(AT, (), (), [replace(look, totals=replace(look.totals, since_start=None))])

    assert of(d.PRODUCER_MESSAGES, values) == of(d.STAGE_MESSAGES, values) == values.histograms == {}
    assert of(d.RUNS, values)[("done",)] == 1
