"""The stream of a run's events."""

import json
from concurrent.futures import ThreadPoolExecutor

import pytest

from api.events import STREAMS, EventStreams
from api.problems import Problem
from api.runs.store import Store, now
from tests.unit.api_fakes import Records, Topics, asked, seen, wait_until


@pytest.fixture(autouse=True)
def fast(monkeypatch):
    monkeypatch.setattr("api.events.PACE_SECONDS", 0.001)


@pytest.fixture
def topic():
    return Topics()


@pytest.fixture
def store(topic):
    return Store(topic.journal(), runs_kept=10, stalled_after=30)


@pytest.fixture
def records():
    return Records(asked("pong", 10, created=now()))


@pytest.fixture
def run(store, records):
    return store.accept(records.request)[0]


def events(text: str) -> list[dict[str, str]]:
    """The fields of each event."""
    blocks = text.removesuffix("\n\n").split("\n\n")
    return [dict(line.split(": ", 1) for line in block.splitlines()) for block in blocks]


def finish(topic, records) -> None:
    topic.add(records.sent("sent", seen(range(10))))
    topic.add(records.stage("ping_received", seen(range(10))))


def test_a_run_that_is_over_has_one_event_and_then_the_end(topic, store, records, run):
    finish(topic, records)
    retry, told, end = events("".join(EventStreams(store).open(run, -1)))

    assert retry == {"retry": "1000"}
    assert (told["event"], int(told["id"])) == ("run", store.summary(run).version)
    assert json.loads(told["data"]) == json.loads(json.dumps(store.view(run).as_json()))
    assert end == {"event": "end", "data": "{}"}


def test_each_change_is_an_event_until_the_end(topic, store, records, run):
    told = []
    with ThreadPoolExecutor(1) as pool:
        stream = pool.submit(lambda: told.extend(EventStreams(store).open(run, -1)))
        wait_until(lambda: len(told) == 2)
        topic.add(records.sent("sending", seen([1])))
        wait_until(lambda: len(told) == 3)
        finish(topic, records)
        stream.result(5)
    states = [json.loads(event["data"])["state"] for event in events("".join(told)) if event.get("event") == "run"]

    assert states[:2] == ["accepted", "sending"]
    assert states[-1] == "done"


def test_only_changes_that_the_client_has_not_seen_are_sent(topic, store, records, run):
    finish(topic, records)

    assert [event.get("event") for event in events("".join(EventStreams(store).open(run, 10**6)))] == [None, "end"]


def test_the_stream_of_a_stopped_run_waits_for_messages_that_still_arrive(topic, store, records, run):
    topic.add(records.sent("stopped", seen([0, 1], at=now())))
    told = []
    with ThreadPoolExecutor(1) as pool:
        stream = pool.submit(lambda: told.extend(EventStreams(store).open(run, -1)))
        wait_until(lambda: len(told) == 2)
        topic.add(records.stage("ping_received", seen([0, 1], at=now())))
        stream.result(5)

    assert json.loads(events("".join(told))[-2]["data"])["stages"]["ping_received"]["missing"] == 0


def test_the_stall_of_a_run_is_an_event_even_without_a_new_record(topic, records):
    store = Store(topic.journal(), runs_kept=10, stalled_after=0.05)
    run = store.accept(records.request)[0]
    stream = EventStreams(store).open(run, -1)
    told = [json.loads(events(text)[0]["data"]) for _, text in zip(range(3), stream, strict=False) if "data" in text]

    assert [run["stalled"] for run in told] == [None, "sent"]


def test_a_comment_shows_that_the_stream_is_alive(monkeypatch, store, run):
    monkeypatch.setattr("api.events.HEARTBEAT_SECONDS", 0.01)
    stream = EventStreams(store).open(run, -1)

    assert [next(stream) for _ in range(3)][-1] == ": still here\n\n"


def test_the_stream_of_a_run_that_could_not_be_queued_ends(monkeypatch, store, run):
    monkeypatch.setattr("api.events.ARRIVAL_SECONDS", 0)
    stream = EventStreams(store).open(run, -1)
    next(stream)
    store.fail(run.id, "it was not queued")
    told, end = events("".join(stream))

    assert (json.loads(told["data"])["state"], json.loads(told["data"])["reason"]) == ("failed", "it was not queued")
    assert end["event"] == "end"


def test_the_number_of_open_streams_is_limited(store, run):
    streams = EventStreams(store)
    for _ in range(STREAMS):
        streams.open(run, -1)
    with pytest.raises(Problem, match="poll GET /runs") as raised:
        streams.open(run, -1)
    assert raised.value.status == 503

    streams.close()
    streams.open(run, -1)
