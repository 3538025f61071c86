"""When a run was over: `finished` in its JSON."""

import pytest

from tests.unit.api_fakes import Records, asked, seen
from tests.unit.test_run_model import ALL, LATE, SOON, complete, run_of


@pytest.fixture
def records():
    return Records(asked("ping", 10, 5))


@pytest.mark.parametrize("outcome", ["failed", "stopped"])
def test_a_run_that_ends_early_is_finished_when_its_sender_stops(records, outcome):
    run = run_of(records, records.accepted(), records.sent(outcome, seen(range(5)), "why", ended=LATE))

    assert run.finished == LATE


def test_an_incomplete_run_is_finished_when_it_is_given_up(records):
    sent = records.sent("sent", seen(ALL), ended=SOON)
    assert run_of(records, records.accepted(), sent, records.incomplete("why", LATE)).finished == LATE


def test_a_done_run_is_finished_when_its_last_message_is_counted(records):
    records_of_run = complete(records)
    records_of_run[1] = records.sent("sent", seen(ALL), ended=LATE)

    assert run_of(records, *records_of_run).finished == run_of(records, *complete(records)).last_change
