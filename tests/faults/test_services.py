"""ping and pong are killed, stopped, frozen or absent, or pong gets a second instance."""

import time

import pytest

from tests.faults.audit import check_committed
from tests.integration.processes import eventually, link


@pytest.mark.parametrize("service", ["ping", "pong"])
def test_killed(trial, service):
    """{service} killed in the middle of a batch"""
    trial.start_both()
    with trial.fault():
        getattr(trial.stack, service).kill()
        check_committed(trial.ledger)
        setattr(trial.stack, service, trial.stack.start_service(service))
    trial.finish()


@pytest.mark.parametrize("service", ["ping", "pong"])
def test_stopped(trial, service):
    """{service} stopped by SIGTERM in the middle of a batch"""
    trial.start_both()
    process = getattr(trial.stack, service)
    with trial.fault():
        code, _ = process.terminate(10)
        check_committed(trial.ledger)
        setattr(trial.stack, service, trial.stack.start_service(service))
    trial.finish()

    assert code == 0
    assert "Traceback" not in process.log
    assert trial.duplicates == 0


@pytest.mark.long
def test_stopped_while_kafka_is_gone(trial):
    """ping and pong stopped by SIGTERM while Kafka is gone"""
    stack = trial.stack
    trial.start_both()
    with trial.fault():
        stack.brokers.kafka.kill()
        codes = stack.stop_services()
        stack.start_services()
        eventually(lambda: "waiting for Kafka at" in stack.ping.log)
        stack.brokers.kafka.start()
    trial.finish()

    assert codes == [0, 0]


def test_stopped_while_kafka_is_frozen(trial):
    """ping and pong stopped by SIGTERM while Kafka is frozen"""
    stack = trial.stack
    trial.start_both()
    with trial.fault():
        stack.brokers.kafka.suspend()
        try:
            codes = stack.stop_services()
        finally:
            stack.brokers.kafka.resume()
        stack.start_services()
    trial.finish()

    assert codes == [0, 0]


def test_instances_come_and_go(trial):
    """A second pong joins and leaves under load"""
    trial.start_both()
    with trial.fault():
        for _ in range(5 if trial.long else 2):
            second = trial.stack.start_service("pong")
            eventually(second.assigned)
            trial.start("ping", 20_000)
            code, _ = second.terminate(10)
            assert code == 0
    trial.finish()


@pytest.mark.parametrize("service", ["ping", "pong"])
def test_down(trial, service):
    """{service} is down when it is asked"""
    getattr(trial.stack, service).terminate()
    with trial.fault():
        began = time.monotonic()
        answer = trial.stack.get(f"/{service}/1000/100")
        waited = time.monotonic() - began
        waiting = trial.start(service)  # its call waits in RabbitMQ
        assert trial.run(waiting)["state"] == "accepted"
        setattr(trial.stack, service, trial.stack.start_service(service))
    trial.finish()

    assert (answer.status_code, waited < 5) == (503, True)
    assert f"{service} is not running" in answer.json()["detail"]
    assert answer.headers["Retry-After"]
    assert not trial.strangers, "a run was sent after a 503"


def test_frozen(trial):
    """ping frozen for 17 s"""
    trial.start_both()
    with trial.fault():
        trial.stack.ping.freeze()
        began = time.monotonic()
        answer = trial.stack.get("/ping/1000/100")
        waited = time.monotonic() - began
        assert trial.stack.get("/pong/10/10").status_code == 200  # the API still works
        time.sleep(max(0, 17 - waited))
        trial.stack.ping.resume()
    trial.follow(link(answer))
    trial.finish()

    assert (answer.status_code, waited < 20) == (504, True)


def test_services_start_before_the_brokers(trial):
    """All brokers absent at start"""
    stack = trial.stack
    for process in stack.ping, stack.pong, stack.api:
        process.terminate()
    stack.brokers.stop()
    with trial.fault():
        stack.start_services()
        stack.port, stack.api = stack.start_api()
        for process in stack.ping, stack.pong:
            eventually(lambda process=process: "waiting for Kafka at" in process.log)
        eventually(lambda: stack.get("/healthz").status_code == 200)
        ready = stack.get("/readyz")
        request = stack.get("/ping/10/10")
        stack.brokers.start()
        stack.wait_until_ready()
    trial.start()
    trial.finish()

    assert (ready.status_code, ready.json()["failing"]) == (503, ["kafka", "rabbitmq"])
    assert "Kafka does not answer" in ready.json()["detail"]
    assert "RabbitMQ does not answer" in ready.json()["detail"]
    assert request.status_code == 503


def test_killed_in_turn(trial):
    """pong and ping killed in turn while one run goes on"""
    path = trial.start("ping", min(1_000_000, trial.messages * (10 if trial.long else 3)))
    with trial.fault():
        for number, service in enumerate(("pong", "ping") * (3 if trial.long else 1), 1):
            eventually(lambda least=number * trial.messages // 4: _answered(trial, path) >= least, 60)
            getattr(trial.stack, service).kill()
            setattr(trial.stack, service, trial.stack.start_service(service))
    trial.finish(seconds=150)


def _answered(trial, path: str) -> int:
    return trial.run(path)["stages"]["pong_answered"]["distinct"]
