"""Many earlier runs on record: each process starts as fast as without them, and needs hardly more memory."""

import time

import pytest
from kafka import KafkaProducer

from local.brokers import Brokers
from messaging.journal.states import RUN_STATES
from tests.conftest import processes
from tests.integration.history import History
from tests.integration.memory import children, resident
from tests.integration.processes import Stack, eventually

RUNS = 100_000
SECONDS = 10
MEMORY = 50 * 2**20


@pytest.fixture
def own_stack(tmp_path):
    """ping, pong and the API with brokers of this test only: other tests read all that is on record in theirs."""
    with Brokers(tmp_path / "brokers") as brokers, processes(brokers, tmp_path) as start:
        yield Stack(brokers, start)


def test_start_and_memory_do_not_grow_with_history(own_stack):
    stack = own_stack
    before = memory(stack)
    for process in stack.ping, stack.pong, stack.api:
        process.terminate()
    producer = KafkaProducer(bootstrap_servers=stack.brokers.kafka_bootstrap, acks="all", batch_size=131_072)
    runs = History(producer, len(producer.partitions_for(RUN_STATES))).write(RUNS)
    producer.close()
    began = time.monotonic()
    stack.start_services()
    stack.port, stack.api = stack.start_api()
    eventually(lambda: newest(stack) == str(runs[-1]), what="the newest run is not listed")
    stack.wait_until_ready()
    seconds = time.monotonic() - began
    after = memory(stack)

    assert seconds < SECONDS
    assert {name: max(0, after[name] - before[name] - MEMORY) for name in after} == dict.fromkeys(after, 0)
    assert stack.get(f"/runs/{runs[-1]}").json()["state"] == "done"


def newest(stack: Stack) -> str | None:
    runs = stack.get("/runs?limit=1").json().get("runs")  # none while it is still reading
    return runs[0]["id"] if runs else None


def memory(stack: Stack) -> dict[str, int]:
    """Return how much memory each process needs, in bytes, once it has worked a little."""
    stack.wait_until_ready()
    for _ in range(4):
        for path in "/ping/100/100", "/pong/100/100", "/runs":
            assert stack.get(path).status_code == 200
    workers = children(stack.api.pid)
    return {
        "ping": resident(stack.ping.pid),
        "pong": resident(stack.pong.pid),
        "API": max(resident(pid) for pid in workers),
    }
