"""The `client` and `delivery` of a run: first the API's own settings, then the values of the run's sender."""

from api.runs.model import Manner, Run
from tests.unit.api_fakes import CREATED, Records, apply, asked, seen


def test_a_run_has_the_settings_of_the_api_until_those_of_its_sender_are_on_record():
    records = Records(asked("ping", 10, 5))
    run = Run(records.request.run, manner=Manner("confluent-kafka", "exactly-once"))
    apply(records.accepted(), run)
    assert (run.summary(CREATED, 30).client, run.summary(CREATED, 30).delivery) == ("confluent-kafka", "exactly-once")

    apply(records.sent("sending", seen([1])), run)
    assert (run.summary(CREATED, 30).client, run.summary(CREATED, 30).delivery) == ("kafka-python", "at-least-once")
