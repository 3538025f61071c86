"""What the API says when something is absent, and that it finds its way back."""

import time

import pytest

from tests.integration.processes import eventually


def test_rabbitmq_restarted_between_two_requests(stack, ledger):
    for _ in range(10):  # so that both of the API's processes have connections that will break
        assert stack.get("/ping/10/10").status_code == 200
    stack.brokers.rabbitmq.stop()
    absent = stack.get("/ping/10/10")
    ready = stack.get("/readyz")
    stack.brokers.rabbitmq.start()
    eventually(lambda: stack.get("/readyz").status_code == 200, what="the services do not come back")
    answers = [stack.get("/ping/10/10").status_code for _ in range(10)]
    ledger.wait_until_consumed()

    assert (absent.status_code, absent.headers["Content-Type"]) == (503, "application/problem+json")
    assert "RabbitMQ does not answer" in absent.json()["detail"]
    assert (ready.status_code, ready.json()["failing"]) == (503, ["rabbitmq"])
    assert "RabbitMQ does not answer" in ready.json()["detail"]
    assert answers == [200] * 10
    assert ledger.count("ping") == 200


@pytest.mark.parametrize("service", ["ping", "pong"])
def test_a_service_that_is_down_is_503_at_once_and_nothing_is_sent_later(stack, ledger, service):
    getattr(stack, service).terminate()
    started = time.perf_counter()
    answer = stack.get(f"/{service}/10/10")
    seconds = time.perf_counter() - started
    ready = stack.get("/readyz")
    stack.start_service(service)
    stack.wait_until_ready()

    assert (answer.status_code, answer.headers["Content-Type"]) == (503, "application/problem+json")
    assert f"{service} is not running" in answer.json()["detail"]
    assert answer.headers["Retry-After"]
    assert seconds < 5
    assert (ready.status_code, ready.json()["failing"]) == (503, [service, f"{service} consumer"])
    assert ledger.count("ping") == ledger.count("pong") == 0


def test_a_frozen_service_is_504_in_time_and_the_api_goes_on(stack):
    stack.ping.freeze()
    started = time.perf_counter()
    answer = stack.get("/ping/10/10")

    assert (answer.status_code, answer.headers["Content-Type"]) == (504, "application/problem+json")
    assert time.perf_counter() - started < 30
    assert stack.get("/pong/10/10").status_code == 200


def test_kafka_frozen_is_seen_by_readyz_in_time(stack):
    stack.brokers.kafka.suspend()
    try:
        started = time.perf_counter()
        answer = stack.get("/readyz")
        assert time.perf_counter() - started < 10
    finally:
        stack.brokers.kafka.resume()

    assert answer.status_code == 503
    assert answer.json()["failing"] == ["kafka"]
    stack.wait_until_ready()
