"""A run says which client and which delivery it has."""

import pytest

from api.runs.model import Manner, Run
from tests.unit.api_fakes import CREATED, Records, apply, asked, seen

API = Manner("confluent-kafka", "exactly-once")


@pytest.fixture
def records():
    return Records(asked("ping", 10, 5))


def manner_of(run: Run) -> tuple[str | None, str | None]:
    summary = run.summary(CREATED + 5_000_000, 30)
    return summary.client, summary.delivery


def test_a_run_that_nobody_sends_yet_has_those_of_the_api(records):
    run = Run(records.request.run, manner=API)
    apply(records.accepted(), run)

    assert manner_of(run) == API


def test_then_it_has_those_of_its_sender(records):
    run = Run(records.request.run, manner=API)
    apply(records.accepted(), run)
    apply(records.sent("sending", seen([1])), run)

    assert manner_of(run) == ("kafka-python", "at-least-once")
