"""How the stream of a run's events ends for good."""

import json
from types import SimpleNamespace

import pytest
from flask import Flask

from api.events import EventStreams
from api.routes import runs
from api.runs.store import Store, now
from tests.unit.api_fakes import Records, Topics, asked, seen


@pytest.fixture(autouse=True)
def fast(monkeypatch):
    monkeypatch.setattr("api.events.PACE_SECONDS", 0.001)


@pytest.fixture
def topics():
    return Topics()


@pytest.fixture
def store(topics):
    return Store(topics.journal(), runs_kept=2, stalled_after=30)


@pytest.fixture
def client(store):
    """A client of an app that has only the routes of runs."""
    app = Flask(__name__)
    app.extensions["resources"] = SimpleNamespace(store=store, streams=EventStreams(store))
    app.register_blueprint(runs.blueprint)
    return app.test_client()


def finished(topics, store, outcome: str = "sent", at: int | None = None):
    """A run that was sent or stopped. If it was sent, all its messages have arrived, otherwise none."""
    records = Records(asked("pong", 10, created=at or now()))
    run, _ = store.accept(records.request)
    topics.add(records.sent(outcome, seen(range(10), at=at)))
    if outcome == "sent":
        topics.add(records.stage("ping_received", seen(range(10), at=at)))
    return run


def follow(client, run, last_event_id: int | None = None):
    """Ask for the events as a browser's EventSource does."""
    headers = {} if last_event_id is None else {"Last-Event-ID": str(last_event_id)}
    return client.get(f"/runs/{run.id}/events", headers=headers)


def last_id(response) -> int:
    return max(int(line[4:]) for line in response.text.splitlines() if line.startswith("id: "))


def test_the_response_is_204_if_the_client_has_every_event(topics, store, client):
    run = finished(topics, store)
    first = follow(client, run)
    again = follow(client, run, last_id(first))

    assert first.text.endswith("event: end\ndata: {}\n\n")
    assert (again.status_code, again.data) == (204, b"")


def test_a_client_that_misses_the_last_event_gets_it(topics, store, client):
    run = finished(topics, store)
    response = follow(client, run, store.summary(run).version - 1)

    assert response.status_code == 200
    assert json.loads(response.text.split("data: ")[1].splitlines()[0])["state"] == "done"


def test_a_client_without_a_last_event_gets_the_run(topics, store, client):
    assert follow(client, finished(topics, store)).status_code == 200


def test_the_stream_does_not_end_while_messages_may_still_arrive(topics, store):
    run = finished(topics, store, "stopped", at=now())

    assert not EventStreams(store).is_told(run, store.summary(run).version)


def test_the_stream_of_a_stopped_run_ends_even_if_its_messages_never_arrive(topics, store, client):
    run = finished(topics, store, "stopped", at=now() - 60_000_000)

    assert follow(client, run, store.summary(run).version).status_code == 204


def test_the_stream_ends_when_newer_runs_have_replaced_its_run(topics, store):
    run, _ = store.accept(asked("pong", 10, created=now()))
    stream = EventStreams(store).open(run, -1)
    assert [next(stream), json.loads(next(stream).split("data: ")[1])["state"]] == ["retry: 1000\n\n", "accepted"]
    for _ in range(2):
        finished(topics, store)

    assert list(stream) == ["event: end\ndata: {}\n\n"]
