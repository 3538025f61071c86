"""API processes are killed. Each run that they have accepted is carried out, or fails with a reason."""

import os
import random
import signal
import time
import uuid
from concurrent.futures import ThreadPoolExecutor, wait

import pytest
import requests

from tests.integration.memory import children
from tests.integration.processes import eventually

BURST = 16
"""This many clients ask at the same time."""


def test_workers_killed(trial):
    """API workers killed while runs are asked for"""
    stack = trial.stack
    killed: set[int] = set()
    with trial.fault(), ThreadPoolExecutor(BURST) as pool:
        for _ in range(20 if trial.long else 6):
            workers = eventually(lambda: len(pids := set(children(stack.api.pid)) - killed) == 2 and sorted(pids))
            asked = [pool.submit(accepted, stack, "/ping/200/100") for _ in range(BURST)]
            time.sleep(random.uniform(0.02, 0.2))  # so that workers are killed while they handle the requests
            for pid in random.sample(workers, random.choice([1, 1, 2])):
                os.kill(pid, signal.SIGKILL)
                killed.add(pid)
            wait(asked)
            for answer in asked:
                trial.follow(answer.result())
        trial.start_both()
    trial.finish()
    assert not trial.strangers, "a run was sent, but no client was told"


def accepted(stack, path: str) -> str:
    """Ask for a run again and again, until the API accepts it. Return the path of the run."""
    key = str(uuid.uuid4())
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline:
        try:
            answer = stack.request("POST", path, headers={"Idempotency-Key": key})
        except (requests.ConnectionError, requests.exceptions.ChunkedEncodingError):  # the worker was killed
            time.sleep(0.1)
            continue
        if answer.status_code == 202:
            return answer.headers["Location"]
        assert answer.status_code == 503, answer.text
        if "new Idempotency-Key" in answer.json()["detail"]:
            key = str(uuid.uuid4())
    raise AssertionError(f"no run was accepted within 60 s, last key: {key}")


@pytest.fixture
def killed_before_queueing(trial):
    """A function that lets one of two APIs accept a run, and kills this API before RabbitMQ has the call."""
    stack = trial.stack
    rabbitmq = stack.brokers.rabbitmq

    def kill_it(path: str, key: str, run_stalled: int) -> None:
        stack.api.terminate()
        first_port, first = stack.start_api(RUN_STALLED=str(run_stalled))
        stack.port = first_port
        stack.wait_until_ready()
        stack.port, stack.api = stack.start_api(RUN_STALLED=str(run_stalled))
        stack.wait_until_ready()
        with ThreadPoolExecutor() as pool:
            rabbitmq.suspend()
            answer = pool.submit(
                requests.post,
                f"http://127.0.0.1:{first_port}{path}",
                headers={"Idempotency-Key": key},
                timeout=30,
            )
            eventually(lambda: trial.run(f"/runs/{key}").get("state") == "accepted")
            first.kill()
            rabbitmq.resume()
        assert isinstance(answer.exception(), requests.ConnectionError)

    yield kill_it
    stack.api.terminate()  # the next test gets an API with the usual settings


@pytest.mark.long
def test_killed_before_queueing_and_the_client_asks_again(trial, killed_before_queueing):
    """The API killed between accepting and queueing; the client asks again"""
    path, key = f"/ping/{trial.messages}/100", str(uuid.uuid4())
    with trial.fault():
        killed_before_queueing(path, key, run_stalled=30)
        answer = trial.stack.request("POST", path, headers={"Idempotency-Key": key})
        assert answer.status_code == 202, answer.text
        trial.follow(answer.headers["Location"])
    trial.finish()


@pytest.mark.long
def test_killed_before_queueing(trial, killed_before_queueing):
    """The API killed between accepting and queueing"""
    path, key = f"/ping/{trial.messages}/100", str(uuid.uuid4())
    with trial.fault():
        killed_before_queueing(path, key, run_stalled=3)
        trial.follow(f"/runs/{key}")
    trial.finish(("failed",), seconds=10)

    run = trial.run(f"/runs/{key}")
    assert "could not be queued within 3 s" in run["reason"]
    assert run["stages"]["sent"]["messages"] == 0
    assert not trial.strangers
