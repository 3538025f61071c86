"""`python -m client verify` as a process, on real topics: intact runs, forged runs, and runs that it cannot verify."""

import json
import subprocess
import threading
import uuid
from contextlib import closing, contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from client.verify.reading import Reading
from local.brokers.commands import KAFKA_CLASSES
from local.brokers.kafka import java
from local.ports import free_port
from messaging.clients.protocols import Topic
from messaging.clients.topics import create_missing
from messaging.runs.payload import payloads
from messaging.runs.stamp import stamps
from tests.integration.ledger import produce
from tests.integration.runs import finished, post
from tests.integration.terminal import client
from tests.kafka import client_at

COUNT, SIZE = 1000, 100


def verify(stack, run: str, *options: str, port: int | None = None) -> subprocess.CompletedProcess:
    settings = {"KAFKA_BOOTSTRAP_SERVERS": stack.brokers.kafka_bootstrap}
    return client(port or stack.port, "verify", run, *options, **settings)


def verified(ended: subprocess.CompletedProcess) -> dict:
    """Return the object that the command printed with --json. It must print nothing else."""
    assert ended.stderr == ""
    return json.loads(ended.stdout)


@pytest.mark.parametrize(("service", "topics"), [("ping", ["pong", "ping"]), ("pong", ["ping"])])
def test_a_run_that_went_well_passes(stack, service, topics):
    run = finished(stack, post(stack, f"/{service}/{COUNT}/{SIZE}"))
    ended = verify(stack, run["id"], "--exact", "--json")

    assert ended.returncode == 0, ended
    assert verified(ended) == {
        "run": run["id"], "state": "done", "agrees": True, "differences": [], "notes": [],
        "topics": {
            topic: {
                "messages": COUNT, "distinct": COUNT, "twice": 0, "missing": 0, "out_of_order": 0, "changed": 0
            } for topic in topics
        },
    }  # fmt: skip


def test_a_run_is_verified_as_soon_as_it_has_ended(stack):
    begun = client(stack.port, "ping", "5000", "0")
    link = begun.stdout.split()[1]
    ended = verify(stack, link)

    assert (ended.returncode, ended.stderr) == (0, "")
    assert ended.stdout.endswith("\nThe topics hold what the API says.\n")
    assert max(map(len, ended.stdout.splitlines())) <= 80


def test_a_run_that_was_stopped_in_the_middle_passes(stack):
    run = post(stack, "/ping/200000/100").headers["Location"]
    stack.request("DELETE", run)
    ended = verify(stack, run)
    while ended.returncode == 2:  # the run is not over yet
        assert "Verify it when it is over." in ended.stderr
        ended = verify(stack, run)

    assert ended.returncode == 0, ended
    assert ", stopped\n" in ended.stdout


def test_a_copy_with_another_payload_is_found(stack):
    run = finished(stack, post(stack, f"/ping/{COUNT}/{SIZE}"))
    key = stamps(uuid.UUID(run["id"]).bytes, [7])[0]
    produce(stack.brokers.kafka_bootstrap, "ping", [(key, bytes(SIZE))])
    ended = verify(stack, run["id"], "--json")

    assert ended.returncode == 1, ended
    assert verified(ended)["topics"]["ping"] == {
        "messages": COUNT + 1, "distinct": COUNT, "twice": 1, "missing": 0, "out_of_order": 0, "changed": 1,
    }  # fmt: skip
    assert verified(ended)["differences"] == ["Messages of topic ping whose payload has changed: 1."]


class TestAForgedRun:
    """A run that only a forged API knows. Its messages are in the topic because this test puts them there."""

    @pytest.fixture
    def run(self):
        return uuid.uuid4()

    @pytest.fixture
    def forge(self, stack, run):
        """Puts messages with these numbers into one partition of topic `ping`, and verifies the run."""

        def forge(numbers, changed=()):
            producer = client_at(stack.brokers.kafka_bootstrap).producer()
            with closing_soon(producer):
                values = payloads(run.bytes, [number + (number in changed) for number in numbers], SIZE)
                delivery = producer.send("ping", stamps(run.bytes, numbers), values, [0] * len(values))
                assert delivery.wait(30)
            with forged_api(run) as port:
                return verify(stack, str(run), "--json", port=port)

        return forge

    def test_a_topic_that_agrees_with_the_forged_api_passes(self, forge):
        ended = forge(range(COUNT))
        assert ended.returncode == 0, ended

    def test_lost_and_duplicate_and_changed_and_late_messages_are_found(self, forge):
        numbers = [*range(100), 101, 100, *range(102, 200), 150, *range(203, COUNT)]
        ended = forge(numbers, changed=[500, 600])

        assert ended.returncode == 1
        assert verified(ended)["topics"] == {
            "ping": {"messages": 998, "distinct": 997, "twice": 1, "missing": 3, "out_of_order": 1, "changed": 2}
        }
        assert verified(ended)["differences"] == [
            "Messages that Kafka has acknowledged: 1,000. Topic ping holds 997.",
            "Messages of topic ping whose payload has changed: 2.",
            "Messages of topic ping that are out of order in their partition: 1.",
            "Distinct messages of stage ping_received on record: 1,000. Topic ping holds 997.",
            "Duplicates of stage ping_received on record: 0. Topic ping holds 1.",
        ]


@contextmanager
def closing_soon(producer):
    yield
    producer.close(10)


@contextmanager
def forged_api(run: uuid.UUID):
    """Yield the port of an API that says: this run is done, and each of its messages arrived once."""
    stage = {
        "messages": COUNT, "distinct": COUNT, "duplicates": 0, "missing": 0, "failed": 0, "byte_rate": None,
        "message_rate": None, "latency_ms": None,
    }  # fmt: skip
    told = {
        "id": str(run), "service": "pong", "state": "done", "reason": None, "stalled": None, "num_messages": COUNT,
        "size": SIZE, "rate": None, "created": "2026-01-01T00:00:00.000Z", "finished": "2026-01-01T00:00:01.000Z",
        "client": "kafka-python", "delivery": "at-least-once", "stages": {"sent": stage, "ping_received": stage},
    }  # fmt: skip

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self):
            self.send_response(200)
            self.end_headers()
            self.wfile.write(json.dumps(told).encode())

        def log_message(self, *_):
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield server.server_port
        server.shutdown()


def test_the_exit_code_is_2_if_the_run_or_the_api_or_kafka_is_absent(stack):
    run = finished(stack, post(stack, "/pong/10/10"))["id"]
    nowhere = free_port()
    unknown = verify(stack, str(uuid.uuid4()))
    no_api = verify(stack, run, port=nowhere)
    no_kafka = verify(stack, run, "--kafka", f"127.0.0.1:{nowhere}", "--json")

    assert [ended.returncode for ended in (unknown, no_api, no_kafka)] == [2, 2, 2]
    assert [ended.stdout for ended in (unknown, no_api, no_kafka)] == [""] * 3
    assert "There is no run" in unknown.stderr
    assert f"http://localhost:{nowhere} does not answer" in no_api.stderr
    assert f"Kafka at 127.0.0.1:{nowhere} does not answer" in no_kafka.stderr


def test_messages_that_kafka_has_deleted_are_noticed(brokers, tmp_path):
    # Given a topic of three messages, of which Kafka deletes the first two
    servers, topic = brokers.kafka_bootstrap, f"deleted-{uuid.uuid4().hex[:8]}"
    create_missing(client_at(servers), [Topic(topic, 1, 1)])
    produce(servers, topic, [(None, b"%d" % number) for number in range(3)])
    with closing(client_at(servers).reader()) as reader:
        before = Reading(reader, [topic]).lost_since(0)
    request = tmp_path / "request.json"
    request.write_text(json.dumps({"version": 1, "partitions": [{"topic": topic, "partition": 0, "offset": 2}]}))
    command = ["--bootstrap-server", servers, "--offset-json-file", str(request)]
    subprocess.run(java("-Xmx128M", KAFKA_CLASSES["kafka-delete-records"], *command), check=True, capture_output=True)

    # Then Kafka may have deleted messages of a run that began before the third message was sent.
    # It has deleted no messages of a run that began after the third message was sent
    with closing(client_at(servers).reader()) as reader:
        reading = Reading(reader, [topic])
        values = []
        reading.to_end(lambda messages: values.extend(messages.values))
        assert before == []
        assert values == [b"2"]
        assert [partition.topic for partition in reading.lost_since(0)] == [topic]
        assert reading.lost_since(2**42) == []
