"""A run, built from its records."""

import pytest

from api.runs.model import Run
from api.runs.view import RunState, Stall
from tests.unit.api_fakes import CREATED, Records, apply, asked, seen

ALL = range(10)
STALLED_AFTER = 30
SOON = CREATED + 5_000_000
LATE = CREATED + 60_000_000


def run_of(records: Records, *made) -> Run:
    run = Run(records.request.run)
    for record in made:
        apply(record, run)
    return run


@pytest.fixture
def records():
    return Records(asked("ping", 10, 5))


def complete(records: Records):
    """Records of a run of ping whose messages have all come back."""
    begun = [records.accepted(), records.sent("sent", seen(ALL))]
    return begun + [records.stage(name, seen(ALL)) for name in ("pong_received", "pong_answered", "ping_received")]


def test_a_run_is_accepted_then_sending_then_bouncing_then_done(records):
    run = Run(records.request.run)
    states = []
    for record in (
        records.accepted(),
        records.sent("sending", seen([1])),
        records.sent("sent", seen(ALL)),
        records.stage("pong_received", seen(ALL)),
        records.stage("pong_answered", seen(ALL)),
        records.stage("ping_received", seen([1])),
        records.stage("ping_received", seen(ALL)),
    ):
        apply(record, run)
        states.append(run.state()[0])

    assert states == ["accepted", "sending", *["bouncing"] * 4, "done"]
    assert run.is_over


def test_a_run_of_pong_is_done_when_ping_has_received_everything():
    records = Records(asked("pong", 10))
    run = run_of(
        records, records.accepted(), records.sent("sent", seen(ALL)), records.stage("ping_received", seen(ALL))
    )

    assert run.state() == (RunState.DONE, None)
    assert list(run.view(SOON, STALLED_AFTER).stages) == ["sent", "ping_received"]


@pytest.mark.parametrize("outcome", ["failed", "stopped"])
def test_a_run_that_ends_early_says_why(records, outcome):
    run = run_of(records, records.accepted(), records.sent(outcome, seen([1]), reason="too bad"))

    assert run.state() == (outcome, "too bad")
    assert run.summary(SOON, STALLED_AFTER).as_json()["reason"] == "too bad"


def test_a_failed_run_goes_on_if_another_instance_sends_the_rest(records):
    failed = records.sent("failed", seen([0]), "was killed", writer="host:1/a")
    run = run_of(records, records.accepted(), failed, records.sent("sent", seen(range(1, 10)), writer="host:2/a"))

    assert run.state() == (RunState.BOUNCING, None)


def test_a_stop_ends_a_run_that_has_not_begun(records):
    assert run_of(records, records.accepted(), records.stop()).state() == ("stopped", "stopped before it began")


def test_a_run_with_a_stop_is_sending_until_the_service_ends_it(records):
    run = run_of(records, records.accepted(), records.sent("sending"), records.stop())

    assert run.state() == (RunState.SENDING, None)


def test_the_first_accepted_request_counts(records):
    other = Records(asked("pong", 99, 1, run=records.request.run))
    run = run_of(records, records.accepted("first"), other.accepted("second"))

    assert (run.request, run.standing.accepted_by) == (records.request, "first")


def test_a_run_that_no_api_has_accepted_gets_its_request_from_its_sender(records):
    run = run_of(records, records.stage("ping_received", seen([1])))
    assert run.asked is None

    apply(records.sent("sending", seen([1])), run)
    assert run.request == records.request


def test_a_stalled_run_names_the_stage_that_waits(records):
    waiting = run_of(records, records.accepted(), records.sent("sent", seen(ALL)))
    done = run_of(records, *complete(records))

    assert waiting.summary(SOON, STALLED_AFTER).stalled is None
    assert waiting.summary(LATE, STALLED_AFTER).stalled == "pong_received"
    assert (waiting.is_stalled(LATE, STALLED_AFTER), done.is_stalled(LATE, STALLED_AFTER)) == (True, False)
    assert done.summary(LATE, STALLED_AFTER).stalled is None


def test_a_later_stage_misses_only_messages_that_were_sent(records):
    stage = records.stage("pong_received", seen([0, 1]))
    view = run_of(records, records.accepted(), records.sent("stopped", seen([0, 1, 2])), stage).view(
        SOON, STALLED_AFTER
    )

    missing = {name: stage.missing for name, stage in view.stages.items()}
    assert missing == {"sent": 7, "pong_received": 1, "pong_answered": 3, "ping_received": 3}
    assert not view.has_arrived


def test_a_stopped_run_has_arrived_when_all_its_sent_messages_have():
    records = Records(asked("pong", 10))
    sent, received = records.sent("stopped", seen([0, 1])), records.stage("ping_received", seen([0, 1]))

    assert run_of(records, records.accepted(), sent, received).view(SOON, STALLED_AFTER).has_arrived


def test_the_counts_of_instances_add_up(records):
    first = records.stage("pong_received", seen([0, 1, 2]), writer="one:1/a")
    second = records.stage("pong_received", seen([2, 3]), writer="two:2/b")
    view = run_of(records, records.accepted(), records.sent("sent", seen(ALL)), first, second).view(SOON, STALLED_AFTER)
    stage = view.stages["pong_received"]

    assert (stage.messages, stage.distinct, stage.duplicates, stage.missing) == (5, 4, 1, 6)
    assert stage.instances == {"one:1": 3, "two:2": 2}


def test_only_the_newest_state_of_an_instance_counts(records):
    run = run_of(records, records.accepted(), records.sent("sending", seen([0])), records.sent("sending", seen([0, 1])))

    assert run.view(SOON, STALLED_AFTER).stages["sent"].messages == 2


def test_the_json_has_the_members_that_are_promised(records):
    view = run_of(records, *complete(records)).view(SOON, STALLED_AFTER)

    assert view.as_json() == {
        "id": str(records.request.run),
        "state": "done",
        "service": "ping",
        "num_messages": 10,
        "size": 5,
        "rate": None,
        "created": "2023-11-14T22:13:20.000Z",
        "finished": "2023-11-14T22:13:20.001Z",
        "stalled": None,
        "reason": None,
        "client": "kafka-python",
        "delivery": "at-least-once",
        "stages": {name: stage.as_json() for name, stage in view.stages.items()},
    }
    assert list(view.stages) == ["sent", "pong_received", "pong_answered", "ping_received"]
    assert view.version > run_of(records, records.accepted()).version
    assert "stages" not in run_of(records, *complete(records)).summary(SOON, STALLED_AFTER).as_json()


def test_a_run_that_is_not_over_has_no_finish_time(records):
    assert run_of(records, records.accepted()).summary(SOON, STALLED_AFTER).as_json()["finished"] is None


class TestRefusedMessages:
    """Kafka has refused answers, so the run fails unless they are sent again later."""

    def records_of(self, records, refused: int, arrived: int):
        begun = [records.accepted(), records.sent("sent", seen(ALL)), records.stage("pong_received", seen(ALL))]
        answered = seen(range(10 - refused), failed=range(10 - refused, 10))
        return [*begun, records.stage("pong_answered", answered), records.stage("ping_received", seen(range(arrived)))]

    def test_the_run_fails_with_the_count_of_refused_messages_when_all_others_have_arrived(self, records):
        run = run_of(records, *self.records_of(records, refused=3, arrived=7))

        assert run.state() == ("failed", "Kafka refused messages at pong_answered: 3; see the log of pong")
        assert run.is_over

    def test_the_run_is_bouncing_until_all_other_messages_have_arrived(self, records):
        assert run_of(records, *self.records_of(records, refused=3, arrived=6)).state() == ("bouncing", None)

    def test_refused_messages_count_as_failed_and_not_as_answered(self, records):
        view = run_of(records, *self.records_of(records, refused=3, arrived=7)).view(SOON, STALLED_AFTER)
        stage = view.stages["pong_answered"]

        assert (stage.distinct, stage.failed, stage.missing) == (7, 3, 3)
        assert view.stages["ping_received"].missing == 3

    def test_a_message_counts_only_once_if_kafka_refused_it_twice(self, records):
        again = records.stage("pong_answered", seen(failed=range(7, 10)), writer="host:2/a")
        run = run_of(records, *self.records_of(records, refused=3, arrived=7), again)

        assert run.state() == ("failed", "Kafka refused messages at pong_answered: 3; see the log of pong")

    def test_a_run_is_done_if_refused_messages_are_answered_later(self, records):
        again = records.stage("pong_answered", seen(range(7, 10)), writer="host:2/a")
        arrived = records.stage("ping_received", seen(ALL), writer="host:2/a")

        assert run_of(records, *self.records_of(records, refused=3, arrived=7), again, arrived).state() == (
            "done",
            None,
        )


def test_an_incomplete_run_has_failed_until_its_missing_messages_come(records):
    run = run_of(records, *complete(records)[:-1], records.incomplete("10 messages are missing"))
    assert run.state() == ("failed", "10 messages are missing")

    apply(records.stage("ping_received", seen(ALL)), run)
    assert run.state() == ("done", None)


def test_a_run_that_was_not_queued_stays_failed_after_a_claim_and_an_outcome(records):
    run = run_of(records, records.accepted(), records.failed("not queued"), records.queued(), records.claim())
    assert run.state() == ("failed", "not queued")

    apply(records.sent("stopped", reason="0 of 10"), run)
    assert run.state() == ("failed", "not queued")


def test_a_run_is_done_if_all_its_messages_arrive_although_its_call_was_given_up(records):
    assert run_of(records, records.accepted(), records.failed("lost"), *complete(records)[1:]).state() == ("done", None)


def test_a_run_that_was_yielded_goes_on(records):
    yielded = records.sent("yielded", seen([1]), writer="host:1/a")
    assert run_of(records, records.accepted(), yielded).state() == (RunState.SENDING, None)
    run = run_of(records, records.accepted(), yielded, records.sent("sent", seen(ALL), writer="host:2/b"))
    assert run.state() == (RunState.BOUNCING, None)


def test_a_stall_has_the_waiting_stage_and_its_missing_messages(records):
    run = run_of(records, records.accepted())
    seconds = (SOON - run.last_change) / 1e6
    assert run.stall(SOON) == Stall(run.id, "ping", RunState.ACCEPTED, False, False, seconds, "sent", 10)

    apply(records.queued(), run)
    assert run.stall(SOON) == Stall(run.id, "ping", RunState.ACCEPTED, True, True, seconds, "sent", 10)
    apply(records.sent("sent", seen(ALL)), run)
    apply(records.stage("pong_received", seen([1, 2])), run)
    seconds = (SOON - run.last_change) / 1e6
    assert run.stall(SOON) == Stall(run.id, "ping", RunState.BOUNCING, True, True, seconds, "pong_received", 8)
