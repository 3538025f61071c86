"""RabbitMQ is restarted, frozen and short of memory."""

import time
from concurrent.futures import ThreadPoolExecutor

import pytest

from tests.integration.processes import link


@pytest.mark.parametrize("seconds", [3, pytest.param(20, marks=pytest.mark.long)])
def test_restarted(trial, seconds):
    """RabbitMQ restarted in the middle of a call, away for {seconds} s"""
    rabbitmq = trial.stack.brokers.rabbitmq
    with ThreadPoolExecutor() as pool:
        call = pool.submit(trial.stack.get, f"/ping/{trial.messages}/100")
        trial.start_both(times=5 if trial.long else 1)
        for _ in range(10):  # ping takes at most 8 calls at once; the others wait in RabbitMQ and survive its restart
            trial.start("ping", trial.messages // 3)
        with trial.fault():
            rabbitmq.stop()
            absent = trial.stack.get("/ping/10/10")
            ready = trial.stack.get("/readyz")
            time.sleep(seconds)
            rabbitmq.start()
            after = [trial.stack.get("/ping/10/10").status_code for _ in range(10)]
        answer = call.result()
    trial.follow(link(answer))
    trial.finish()

    # The response came before the restart, or it says that the run goes on. On a slow machine, it may be a timeout.
    said = {200: "total time", 503: "The run may go on", 504: "the run goes on"}[answer.status_code]
    assert said in answer.text
    assert (absent.status_code, "RabbitMQ does not answer" in absent.json()["detail"]) == (503, True)
    assert (ready.status_code, "rabbitmq" in ready.json()["failing"]) == (503, True)
    assert after == [200] * 10


def test_frozen(trial):
    """RabbitMQ frozen for 8 s"""
    rabbitmq = trial.stack.brokers.rabbitmq
    trial.start_both(times=5 if trial.long else 1)
    with trial.fault(), ThreadPoolExecutor(8) as pool:
        rabbitmq.suspend()
        began = time.monotonic()
        answers = list(pool.map(lambda _: trial.stack.get("/ping/10/10"), range(8)))
        queued = trial.stack.request("POST", "/ping/10/10")
        ready = trial.stack.get("/readyz")
        waited = time.monotonic() - began
        rabbitmq.resume()
        after = trial.stack.get("/ping/10/10")
    trial.follow(link(after))
    trial.finish(seconds=180)

    assert {answer.status_code for answer in (*answers, queued, ready)} == {503}
    assert waited < 20
    assert after.status_code == 200
    assert not trial.strangers, "a run was sent after a 503"


def test_memory_alarm(trial):
    """RabbitMQ takes no messages (memory alarm)"""
    stack = trial.stack
    trial.start_both(times=5 if trial.long else 1)
    with trial.fault(), ThreadPoolExecutor() as pool:
        set_memory_watermark(stack.brokers.rabbitmq, 0)
        try:
            began = time.monotonic()
            ready = pool.submit(stack.get, "/readyz")
            queued = pool.submit(stack.request, "POST", "/ping/10/10")
            answers = [stack.get("/ping/10/10"), queued.result()]
            waited = time.monotonic() - began
        finally:
            set_memory_watermark(stack.brokers.rabbitmq, 0.4)
    for answer in answers:
        if answer.status_code == 504:  # even during the alarm, RabbitMQ takes the first message of a connection
            trial.follow(link(answer))
        elif "Link" in answer.headers:  # RabbitMQ did not confirm the call, so no instance may begin it
            assert trial.run(link(answer))["state"] == "failed"
    trial.finish(seconds=180)

    assert {answer.status_code for answer in answers} <= {503, 504}
    assert waited < 25
    assert ready.result().json().get("failing") == ["rabbitmq"]
    assert not trial.strangers, "a run was sent after a 503"
    assert stack.get("/ping/10/10").status_code == 200


def set_memory_watermark(rabbitmq, fraction: float) -> None:
    rabbitmq.rabbitmqctl("set_vm_memory_high_watermark", str(fraction))


def test_services_stopped_while_rabbitmq_is_frozen(trial):
    """ping and pong stopped by SIGTERM while RabbitMQ is frozen"""
    stack = trial.stack
    trial.start_both()
    with trial.fault():
        stack.brokers.rabbitmq.suspend()
        codes = stack.stop_services()
        stack.brokers.rabbitmq.resume()
        stack.start_services()
    trial.finish()

    assert codes == [0, 0]
