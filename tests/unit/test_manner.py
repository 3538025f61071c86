"""The Kafka library and delivery of a run: first the API's expectation, then its sender's values."""

from api.runs.model import Manner, Run
from tests.unit.api_fakes import CREATED, Records, apply, asked, seen


def test_a_run_that_nobody_sends_yet_has_the_settings_of_the_api_and_then_those_of_its_sender():
    records = Records(asked("ping", 10, 5))
    run = Run(records.request.run, manner=Manner("confluent-kafka", "exactly-once"))
    apply(records.accepted(), run)
    assert (run.summary(CREATED, 30).client, run.summary(CREATED, 30).delivery) == ("confluent-kafka", "exactly-once")

    apply(records.sent("sending", seen([1])), run)
    assert (run.summary(CREATED, 30).client, run.summary(CREATED, 30).delivery) == ("kafka-python", "at-least-once")
