"""The totals of an API process. Counters never go back, and are the same in every process."""

from itertools import count

import pytest

from api.runs.catalog import Catalog
from api.runs.totals import BOUNDS, Point, Totals, TotalsKeeper
from messaging.journal.states import DONE
from tests.unit.api_fakes import CREATED, Records, asked, seen

SENT, RECEIVED = Point("pong", "sent"), Point("pong", "ping_received")
LATER = CREATED + 60_000_000
STALLED_AFTER = 30


class Api:
    """The catalog and the totals of one API process. It started at CREATED, and its catalog keeps `kept` runs."""

    def __init__(self, kept: int = 10):
        self.keeper = TotalsKeeper()
        self.keeper.since = CREATED
        self._catalog = Catalog(kept, self.keeper)
        self._offsets = count(1)

    def run(self, created: int = CREATED, num_messages: int = 10) -> Records:
        records = Records(asked("pong", num_messages, created=created), self._offsets)
        self.apply(records.accepted())
        return records

    def apply(self, made) -> None:
        if hasattr(made, "state"):
            self._catalog.apply_state(made.run, made.stage, made.key, made.state, made.offset)
        else:
            self._catalog.apply_request(made)

    def totals(self, now: int = CREATED):
        return self._catalog.totals(now, STALLED_AFTER)

    def since_start(self) -> Totals:
        since_start = self.totals().since_start
        assert since_start is not None
        return since_start


@pytest.fixture
def api():
    return Api()


def test_messages_add_up_over_runs_and_instances(api):
    for numbers in range(5), range(5, 10):
        records = api.run()
        api.apply(records.sent(DONE, seen(numbers)))
        api.apply(records.stage("ping_received", seen(numbers), "host:1/a"))
        api.apply(records.stage("ping_received", seen([numbers[0]], size=7), "host:2/b"))
    totals = api.since_start()

    assert totals.messages == {SENT: 10, RECEIVED: 12}
    assert totals.bytes == {SENT: 50, RECEIVED: 64}
    assert totals.duplicates == {SENT: 0, RECEIVED: 2}


def test_a_newer_state_replaces_the_one_before(api):
    records = api.run()
    for numbers in range(3), range(8):
        api.apply(records.sent(DONE, seen(numbers, failed=numbers)))
        assert api.since_start().messages[SENT] == numbers.stop
        assert api.since_start().failed[SENT] == numbers.stop


def test_a_latency_counts_in_the_first_bucket_with_an_equal_or_higher_bound(api):
    api.apply(api.run().sent(DONE, seen(range(4))))  # each 1 ms
    totals = api.since_start()

    assert BOUNDS[0] == 0.001
    assert totals.latencies == {(SENT, 0): 4}
    assert totals.latency_sum == {SENT: pytest.approx(4000, rel=0.01)}


def test_no_counter_goes_back_when_newer_runs_replace_older_ones():
    api = Api(kept=2)
    before = Totals()
    for _ in range(5):
        records = api.run()
        api.apply(records.sent(DONE, seen(range(10), failed=[0])))
        api.apply(records.stage("ping_received", seen(range(10))))
        totals = api.since_start()
        for name, counts in vars(before).items():
            assert all(getattr(totals, name)[key] >= value for key, value in counts.items())
        before = totals

    assert before.messages == {SENT: 50, RECEIVED: 50}
    assert before.failed[SENT] == 5
    assert before.latencies.total() == 100


def test_a_dropped_run_counts_even_if_nobody_read_the_totals_before_the_drop():
    seldom, often = Api(kept=1), Api(kept=1)
    for api in seldom, often:
        for _ in range(3):
            api.apply(api.run().sent(DONE, seen(range(10))))
            if api is often:
                api.totals()

    assert seldom.since_start() == often.since_start()


def test_runs_from_before_the_api_started_are_not_in_the_counters(api):
    api.apply(api.run(created=CREATED - 1).sent(DONE, seen(range(10))))
    api.apply(api.run(created=CREATED).sent(DONE, seen(range(3))))

    assert api.since_start().messages[SENT] == 3
    assert +api.totals().states == {"bouncing": 2}


def test_runs_are_counted_by_state_while_they_are_kept():
    api = Api(kept=2)
    for _ in range(3):
        records = api.run()
    api.apply(records.sent(DONE, seen(range(10))))

    assert +api.totals().states == {"accepted": 1, "bouncing": 1}
    api.apply(records.stage("ping_received", seen(range(10))))
    assert +api.totals().states == {"accepted": 1, "done": 1}


def test_messages_count_as_missing_once_their_run_is_stalled_or_over(api):
    records = api.run()
    api.apply(records.sent(DONE, seen(range(10))))
    api.apply(records.stage("ping_received", seen(range(7))))

    assert (+api.totals().missing, api.totals().stalled) == ({}, 0)
    assert (+api.totals(LATER).missing, api.totals(LATER).stalled) == ({RECEIVED: 3}, 1)
    api.apply(records.incomplete("3 messages are missing"))
    assert (+api.totals(LATER).missing, api.totals(LATER).stalled) == ({RECEIVED: 3}, 0)


@pytest.mark.parametrize(
    ("oldest", "any_dropped", "is_complete"),
    [(None, False, True), (CREATED + 1, False, True), (CREATED - 1, True, True), (CREATED + 1, True, False)],
)
def test_a_process_has_no_counters_unless_it_knows_all_runs_since_the_api_started(
    monkeypatch, oldest, any_dropped, is_complete
):
    monkeypatch.setattr("api.runs.totals.now", lambda: LATER)
    api = Api()
    api.keeper.begin(oldest, any_dropped)

    assert (api.totals().since_start is not None) == is_complete
