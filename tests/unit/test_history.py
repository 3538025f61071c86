"""A long history costs a starting process little memory and little work."""

import tracemalloc
from uuid import UUID

import pytest

from api.runs import catalog as catalog_module
from api.runs.history import History
from api.runs.store import Store
from messaging.journal.requests import PARTITION, RUN_REQUESTS
from messaging.journal.states import RUN_STATES, State
from tests.unit.api_fakes import CREATED, Raw, Records, Topics, asked, seen

RUNS = 100_000
KEPT = 1000


def runs(count: int = RUNS):
    """The ids of many runs."""
    return (UUID(int=number << 64 | 7) for number in range(count))


def keys(run: UUID) -> list[bytes]:
    """The keys of the usual records of a run."""
    return [f"{run}/{kind}".encode() for kind in ("accepted/x", "queued/y", "claim/z")]


def fill(history: History, count: int) -> None:
    for offset, run in enumerate(runs(count)):
        for key in keys(run):
            history.add((PARTITION, offset, key, bytes(200)))


def test_old_runs_are_dropped_but_their_ids_are_kept():
    history = History(KEPT)
    fill(history, RUNS)

    assert len(history.records()) == 3 * KEPT
    assert len(history.dropped) == RUNS - KEPT
    assert {len(run) for run in history.dropped} == {16}


def test_a_run_that_is_not_kept_costs_little_more_than_its_id():
    history = History(kept=10)
    tracemalloc.start()
    fill(history, 5_000)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()

    assert peak < 5_000 * 200


def test_only_the_newest_runs_are_decoded(monkeypatch):
    # Given a long history
    topics = Topics()
    for number, run in enumerate(runs(10_000)):
        records = Records(asked("pong", run=run, created=CREATED + number))
        for made in records.accepted(), records.queued(), records.claim():
            topics.records[RUN_REQUESTS].append(Raw(len(topics.records[RUN_REQUESTS]), made.key, made.value))
    decoded = []

    def counted(decode):
        def count(*arguments):
            decoded.append(arguments)
            return decode(*arguments)

        return count

    monkeypatch.setattr(catalog_module, "decode", counted(catalog_module.decode))
    monkeypatch.setattr(State, "decode", counted(State.decode))

    # When a process starts with it
    store = Store(topics.journal(), KEPT, stalled_after=30)
    newest = store.newest(10, None)

    # Then it has decoded only the runs that it keeps, and knows the ids of the others
    assert len(decoded) == 3 * KEPT
    assert [run.request.created - CREATED for run in newest] == [*range(9_999, 9_989, -1)]
    assert store.is_dropped(UUID(int=7))

    # And states of runs that it does not keep are not decoded either
    topics.add(Records(asked("pong", run=UUID(int=7))).sent("sent", seen([1])))
    assert len(topics.records[RUN_STATES]) == 1
    assert len(decoded) == 3 * KEPT


def test_reading_of_states_begins_at_the_creation_time_of_the_oldest_kept_run():
    topics = Topics()
    for number, run in enumerate(runs(5)):
        topics.add(Records(asked(run=run, created=CREATED + number * 10**6)).accepted())
    journal = topics.journal()
    started = []
    journal.start_states = lambda since_ms, apply: started.append(since_ms)
    Store(journal, 2, stalled_after=30).newest(10, None)

    assert started == [CREATED // 1000 + 3000]


class TestWhichRunsAreKept:
    def add(self, history: History, *names: str) -> None:
        for name in names:
            run, kind = name[0], name[1:]
            key = f"{UUID(int=ord(run))}/{kind or 'accepted'}/".encode()
            history.add((PARTITION, len(self.added), key, name.encode()))
            self.added.append(name)

    @pytest.fixture(autouse=True)
    def nothing_added(self):
        self.added: list[str] = []

    def kept(self, history: History) -> list[str]:
        return [value.decode() for _, _, _, value in history.records()]

    def test_a_run_is_as_old_as_its_first_record_and_the_oldest_runs_are_dropped(self):
        history = History(2)
        self.add(history, "a", "b", "aqueued", "c", "bqueued", "aclaim")

        assert self.kept(history) == ["b", "c", "bqueued"]
        assert history.dropped == {UUID(int=ord("a")).bytes}

    def test_the_records_of_kept_runs_stay_in_order(self):
        history = History(10)
        self.add(history, "a", "b", "bqueued", "aqueued", "bclaim", "aclaim")

        assert self.kept(history) == self.added

    def test_a_key_that_is_not_ours_raises_value_error_and_is_not_kept(self):
        history = History(10)
        self.add(history, "a")
        for key in None, b"", b"not one of ours", b"x" * 36:
            with pytest.raises(ValueError, match=r"not the id|non-hexadecimal"):
                history.add((PARTITION, 1, key, b""))

        assert self.kept(history) == ["a"]
