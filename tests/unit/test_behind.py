"""How far a paced run is behind its schedule, computed from its records."""

import pytest

from api.runs.model import Run
from tests.unit.api_fakes import CREATED, Records, apply, asked, seen

SECOND = 1_000_000
START = CREATED + SECOND
STALLED_AFTER = 30


@pytest.fixture
def records():
    return Records(asked("pong", 100, rate=10))


def behind(records, now: int, *made) -> float:
    """Return `behind_seconds` of stage `sent` in the run's JSON at this time."""
    run = Run(records.request.run)
    for record in records.accepted(), *made:
        apply(record, run)
    return run.view(now, STALLED_AFTER).as_json()["stages"]["sent"]["behind_seconds"]


def test_a_run_without_a_rate_has_no_behind_seconds():
    records = Records(asked("pong", 100))
    run = Run(records.request.run)
    apply(records.sent("sent", seen(range(100))), run)

    assert "behind_seconds" not in run.view(START, STALLED_AFTER).as_json()["stages"]["sent"]


def test_the_json_of_a_paced_run_has_its_rate_and_has_behind_seconds_only_at_stage_sent(records):
    run = Run(records.request.run)
    apply(records.sent("sent", seen(range(100)), start=START), run)
    members = run.view(START, STALLED_AFTER).as_json()

    assert members["rate"] == run.summary(START, STALLED_AFTER).as_json()["rate"] == 10
    assert [name for name, stage in members["stages"].items() if "behind_seconds" in stage] == ["sent"]


def test_a_run_that_has_not_begun_is_not_behind(records):
    assert behind(records, START + 60 * SECOND) == 0
    assert behind(records, START + 60 * SECOND, records.sent("failed", reason="it did not begin")) == 0


def test_a_run_is_behind_by_the_delay_of_its_newest_acknowledged_message(records):
    stage = seen(range(31), at=START + 5 * SECOND)  # message 30 was due 3 s after the start

    assert behind(records, START + 5 * SECOND, records.sent("sending", stage, start=START)) == 2


def test_a_run_that_keeps_its_rate_is_behind_only_by_the_delay_of_the_acknowledgement(records):
    stage = seen(range(31), at=START + 3 * SECOND + 4000)
    record = records.sent("sending", stage, start=START)

    assert behind(records, START + 3 * SECOND + 900_000, record) == 0.004


def test_a_run_is_behind_by_the_delay_of_its_next_message_if_that_message_is_over_1_s_late(records):
    stage = seen(range(31), at=START + 3 * SECOND + 4000)
    for outcome in "sending", "yielded":
        record = records.sent(outcome, stage, start=START)
        assert behind(records, START + 9 * SECOND, record) == pytest.approx(5.9)

    nothing_sent = records.sent("sending", start=START)
    assert behind(records, START + 9 * SECOND, nothing_sent) == 9


@pytest.mark.parametrize("outcome", ["sent", "stopped", "failed"])
def test_behind_seconds_does_not_change_after_the_sending_has_ended(records, outcome):
    stage = seen(range(100), at=START + 12_900_000)  # message 99 was due 9.9 s after the start

    assert behind(records, START + 3600 * SECOND, records.sent(outcome, stage, start=START)) == 3


def test_the_delay_is_measured_from_the_earliest_start_on_record(records):
    begun = records.sent("yielded", seen(range(10), at=START + SECOND), start=START, writer="host:1/a")
    later = seen(range(10, 21), at=START + 4 * SECOND)
    taken_over = records.sent("sending", later, start=START + 1, writer="host:2/b")

    assert behind(records, START + 4 * SECOND, begun, taken_over) == 2
