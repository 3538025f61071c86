"""Many earlier runs are on record. The newest one is found, and no process needs much more memory.

`python -m benchmarks starting` measures the memory with 100,000 runs, and the time until the processes are ready.
"""

import pytest

from benchmarks.history import write_history
from local.brokers import Brokers
from tests.conftest import processes
from tests.integration.memory import children, resident
from tests.integration.processes import Stack, eventually

RUNS = 20_000
MEMORY = 50 * 2**20
"""A process may grow by this much, in bytes. The newest RUNS_KEPT runs, which the API keeps, need half of it."""


@pytest.fixture
def own_stack(tmp_path):
    """ping, pong and the API with separate brokers. Otherwise all other tests would have to read these runs."""
    with Brokers(tmp_path / "brokers") as brokers, processes(brokers, tmp_path) as start:
        yield Stack(brokers, start)


def test_memory_does_not_grow_with_history(own_stack):
    stack = own_stack
    before = memory(stack)
    for process in stack.ping, stack.pong, stack.api:
        process.terminate()
    runs = write_history(stack.brokers.kafka_bootstrap, RUNS)
    stack.start_services()
    stack.port, stack.api = stack.start_api()
    eventually(lambda: newest(stack) == str(runs[-1]), what="the newest run is not listed")
    after = memory(stack)

    assert {name: max(0, after[name] - before[name] - MEMORY) for name in after} == dict.fromkeys(after, 0)
    assert stack.get(f"/runs/{runs[-1]}").json()["state"] == "done"


def newest(stack: Stack) -> str | None:
    runs = stack.get("/runs?limit=1").json().get("runs")  # none while the API is still reading
    return runs[0]["id"] if runs else None


def memory(stack: Stack) -> dict[str, int]:
    """Return the memory of each process after some requests, in bytes."""
    stack.wait_until_ready()
    for _ in range(4):
        for path in "/ping/100/100", "/pong/100/100", "/runs":
            # One process of the API may be ready, while the other one still reads the history.
            eventually(lambda path=path: stack.get(path).status_code == 200, what=f"{path} does not respond with 200")
    workers = children(stack.api.pid)
    return {
        "ping": resident(stack.ping.pid),
        "pong": resident(stack.pong.pid),
        "API": max(resident(pid) for pid in workers),
    }
