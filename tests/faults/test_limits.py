"""The limits: the largest messages, many runs, many requests that wait."""

import time
from concurrent.futures import ThreadPoolExecutor

from tests.integration.memory import children, peak
from tests.integration.processes import eventually

MOST = 512 * 2**20
"""The maximum memory of each process, in bytes. Each container of ping, pong and the API has twice that."""


def test_large_messages_and_many_runs(trial):
    """The largest messages, and 20 runs at once"""
    with trial.fault():
        trial.start("ping", 1000 if trial.long else 100, 1_000_000)
        for number in range(20):
            trial.start(("ping", "pong")[number % 2], 5000)
    trial.finish(seconds=120)

    assert max(peak(pid) for pid in pids(trial.stack)) < MOST


def pids(stack) -> list[int]:
    """Return the process ids of the stack, including gunicorn's workers."""
    parents = [process.pid for process in (stack.ping, stack.pong, stack.api)]
    return parents + [child for pid in parents for child in children(pid)]


def test_more_requests_than_may_wait(trial):
    """300 requests at once to a service that does not answer"""
    stack = trial.stack
    with trial.fault(), ThreadPoolExecutor(300) as pool:
        stack.ping.freeze()
        answers = [pool.submit(stack.get, "/ping/10/10") for _ in range(300)]
        eventually(lambda: any(answer.done() for answer in answers))  # the first response is a 503
        began = time.monotonic()
        assert stack.get("/healthz").status_code == stack.get("/pong/10/10").status_code == 200
        waited = time.monotonic() - began
        stack.ping.resume()
        statuses = {answer.result().status_code for answer in answers}
    trial.start()
    trial.finish()

    assert waited < 5
    assert statuses == {200, 503}
