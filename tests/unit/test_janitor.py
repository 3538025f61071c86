"""The janitor ends runs that nobody will continue, and records the reason."""

import pytest

from api.runs.janitor import LOST_SECONDS, Janitor
from tests.unit.api_fakes import Records, Topics, asked, seen
from tests.unit.api_processes import FakeCalls, Process, new_run, now, refused

ALL = range(10)
STALLED_AFTER = 30


@pytest.fixture
def topics():
    return Topics()


@pytest.fixture
def process(topics):
    return Process(topics, FakeCalls(), stalled_after=STALLED_AFTER)


@pytest.fixture
def lag():
    """How many messages each group is behind the end of its topic."""
    return {"ping": 0, "pong": 0}


@pytest.fixture
def waiting():
    """The services whose calls wait in RabbitMQ."""
    return set()


def nothing_waits():
    return []


@pytest.fixture
def janitor(process, lag, waiting):
    return Janitor(process.store, lag.__getitem__, lambda: waiting, STALLED_AFTER)


@pytest.fixture
def put(topics, process):
    """Puts a run on record: `accepted`, and then the record of each step. By default it was created years ago."""

    def put(*steps, request=None) -> Records:
        records = Records(request or asked())
        topics.add(records.accepted())
        for step in steps:
            topics.add(step(records))
        process.store.find(records.request.run)
        return records

    return put


def sent(records: Records):
    return records.sent("sent", seen(ALL))


def received(numbers, stage: str = "pong_received"):
    return lambda records: records.stage(stage, seen(numbers))


def shown(process: Process, records: Records) -> tuple[str, str | None]:
    run = process.store.summary(process.store.get(records.request.run))
    return run.state, run.reason


class TestRunsThatWereNeverQueued:
    def test_a_run_fails_if_it_has_waited_too_long(self, topics, process, janitor, put):
        records = put()
        janitor.look()

        assert shown(process, records) == ("failed", "The run could not be queued within 30 s.")
        assert topics.kinds(records.request.run) == ["accepted", "failed"]

    def test_a_new_run_is_given_time(self, process, janitor, put):
        records = put(request=new_run())
        janitor.look()

        assert shown(process, records)[0] == "accepted"

    @pytest.mark.parametrize(
        "steps", [[Records.queued], [Records.queued, lambda records: records.sent("sending", seen([1]))]]
    )
    def test_queued_runs_are_left_alone_however_long_they_wait(self, process, janitor, put, steps):
        records = put(*steps)
        janitor.look()

        assert shown(process, records)[0] in ("accepted", "sending")

    def test_a_record_of_failure_has_no_effect_if_the_run_is_already_queued(self, topics, process, janitor, put):
        records = put()
        process.journal.lags = True
        topics.add(records.queued())
        janitor.look()

        assert topics.kinds(records.request.run) == ["accepted", "queued", "failed"]
        assert shown(process, records)[0] == "accepted"

    def test_a_run_gets_one_record_of_failure_although_every_process_has_a_janitor(self, topics, janitor, put):
        other = Process(topics, FakeCalls(), stalled_after=STALLED_AFTER)
        records = put()
        other.store.find(records.request.run)
        for _ in range(3):
            janitor.look()
            Janitor(other.store, lambda group: 1, nothing_waits, STALLED_AFTER).look()

        assert topics.kinds(records.request.run) == ["accepted", "failed"]

    def test_the_janitor_fails_the_run_later_if_kafka_does_not_answer(self, topics, process, janitor, put):
        records = put()
        topics.is_down = True
        refused(503, janitor.look)
        topics.is_down = False
        janitor.look()

        assert shown(process, records)[0] == "failed"


class TestRunsWhoseCallWasLost:
    """Runs of plain GETs: RabbitMQ keeps their calls in memory only."""

    LOST = "failed", "No service sends it, and its call is not in RabbitMQ."

    @pytest.mark.parametrize("step", [Records.claim, lambda records: records.sent("sending", seen([1]))])
    def test_a_run_fails_if_its_sender_has_recorded_nothing_for_minutes(self, process, janitor, put, step):
        records = put(step)
        janitor.look()

        assert shown(process, records) == self.LOST

    def test_a_run_does_not_fail_while_its_sender_may_still_wait_for_kafka(self, process, janitor, put):
        records = put(Records.claim, request=asked(created=now() - (LOST_SECONDS - 10) * 1_000_000))
        janitor.look()

        assert shown(process, records)[0] == "accepted"

    def test_a_run_fails_if_its_call_waited_in_memory_and_is_gone(self, process, janitor, put):
        records = put(lambda records: records.queued(on_disk=False))
        janitor.look()

        assert shown(process, records) == self.LOST

    def test_a_run_does_not_fail_while_calls_wait_in_memory(self, process, janitor, put, waiting):
        waiting.add("ping")
        records = put(lambda records: records.queued(on_disk=False))
        janitor.look()

        assert shown(process, records)[0] == "accepted"

    def test_a_failed_run_becomes_done_if_all_its_messages_arrive_later(self, topics, process, janitor, put):
        records = put(Records.claim)
        janitor.look()
        stages = "pong_received", "pong_answered", "ping_received"
        for record in sent(records), *(records.stage(stage, seen(ALL)) for stage in stages):
            topics.add(record)

        assert shown(process, records) == ("done", None)


class TestRunsWhoseMessagesAreMissing:
    @pytest.mark.parametrize(
        ("steps", "reason"),
        [
            ([], "Messages missing at pong_received: 10. Service pong has read its topic to the end."),
            ([received(range(7))], "Messages missing at pong_received: 3. Service pong has read its topic to the end."),
            ([received(ALL), received(range(9), "pong_answered")],
             "Messages missing at pong_answered: 1. Service pong has read its topic to the end."),
            ([received(ALL), received(ALL, "pong_answered"), received(range(4), "ping_received")],
             "Messages missing at ping_received: 6. Service ping has read its topic to the end."),
        ],
    )  # fmt: skip
    def test_a_run_fails_and_the_reason_says_what_is_missing(self, process, janitor, put, steps, reason):
        records = put(sent, *steps)
        janitor.look()

        assert shown(process, records) == ("failed", reason)

    def test_a_run_does_not_fail_while_the_consumer_group_has_a_lag(self, process, janitor, put, lag):
        records = put(sent)
        lag["pong"] = 1
        janitor.look()
        assert shown(process, records)[0] == "bouncing"

        lag["pong"] = 0
        janitor.look()
        assert shown(process, records)[0] == "failed"

    def test_a_run_does_not_fail_while_messages_still_arrive(self, topics, process, janitor, put):
        records = put(sent)
        topics.add(records.stage("pong_received", seen([1], at=new_run().created)))
        janitor.look()

        assert shown(process, records)[0] == "bouncing"

    def test_a_run_does_not_fail_if_the_api_has_not_read_all_records_yet(self, topics, process, janitor, put):
        records = put(sent)
        process.journal.lags = True
        for stage in "pong_received", "pong_answered", "ping_received":
            topics.add(records.stage(stage, seen(ALL)))
        janitor.look()

        assert shown(process, records) == ("done", None)
        assert "incomplete" not in topics.kinds(records.request.run)

    def test_runs_that_are_still_being_sent_are_left_alone(self, topics, janitor, put):
        records = put(lambda records: records.sent("sending", seen([1])), request=new_run())
        janitor.look()

        assert topics.kinds(records.request.run) == ["accepted"]

    def test_messages_that_come_late_make_the_run_done(self, topics, process, janitor, put):
        records = put(sent)
        janitor.look()
        for stage in "pong_received", "pong_answered", "ping_received":
            topics.add(records.stage(stage, seen(ALL)))

        assert shown(process, records) == ("done", None)

    def test_kafka_is_not_asked_for_lags_while_no_run_is_bouncing(self, process, put):
        put(Records.queued)
        Janitor(process.store, lambda group: pytest.fail("asked"), nothing_waits, STALLED_AFTER).look()
