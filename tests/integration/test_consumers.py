"""Consumers come and go: nothing is missed, and no acknowledged message is lost."""

from collections import Counter
from concurrent.futures import ThreadPoolExecutor

from local.services import PING
from messaging.runs.stamp import unpack
from tests.integration.processes import eventually


def total(process) -> int:
    return int(process.stats()[-1]["total"]) if process.stats() else 0


def test_two_instances_of_a_service_share_the_partitions(fresh_stack, ledger):
    second = fresh_stack.start_service("pong")
    eventually(lambda: len(fresh_stack.pong.assigned()) == len(second.assigned()) == 2, what="not two partitions each")
    assert fresh_stack.get("/ping/8000/10").status_code == 200
    ledger.wait_until_consumed()

    assert fresh_stack.pong.assigned() | second.assigned() == {f"pong/{number}" for number in range(4)}
    eventually(lambda: total(fresh_stack.pong) + total(second) == 8000)
    assert total(fresh_stack.pong) > 0 < total(second)
    assert ledger.count("ping") == 8000


def test_a_consumer_that_joins_late_misses_nothing(stack, ledger):
    assert stack.ping.terminate()[0] == 0
    assert stack.get("/pong/3000/10").status_code == 200
    ping = stack.start_service("ping")
    ledger.wait_until_consumed()

    eventually(lambda: total(ping) == 3000)


def test_the_response_reports_a_run_stopped_by_sigterm_and_the_run_is_not_sent_again(stack, ledger):
    with ThreadPoolExecutor() as pool:
        answer = pool.submit(stack.get, "/ping/500000/100")
        eventually(lambda: ledger.count("pong") > 10_000)
        code, _ = stack.ping.terminate(10)
        answer = answer.result()
    stack.start_service("ping")
    stack.wait_until_ready()
    ledger.wait_until_consumed()

    assert code == 0
    assert answer.status_code == 503
    assert answer.headers["Retry-After"]
    assert f"{ledger.count('pong')} of 500000 messages were sent" in answer.json()["detail"]


def test_no_other_instance_gets_a_call_that_was_given_up_at_sigterm(stack, ledger):
    with ThreadPoolExecutor() as pool:
        answer = pool.submit(stack.get, "/ping/500000/100")
        eventually(lambda: ledger.count("pong") > 1000)
        second = stack.start_service("ping")
        eventually(second.assigned)
        stack.brokers.kafka.suspend()  # so that the call cannot end before SIGTERM
        try:
            code, _ = stack.ping.terminate(10)
        finally:
            stack.brokers.kafka.resume()
        answer = answer.result()
    stack.wait_until_ready()
    ledger.wait_until_consumed()

    assert (code, answer.status_code) == (0, 503)
    numbers = Counter(unpack(record.key)[1] for record in ledger.records("pong"))
    assert 1000 < len(numbers) < 500_000
    assert set(numbers.values()) == {1}


def test_services_end_in_time_after_sigterm_while_kafka_is_frozen(stack):
    stack.brokers.kafka.suspend()
    try:
        results = [process.terminate(10) for process in (stack.ping, stack.pong)]
    finally:
        stack.brokers.kafka.resume()

    assert [code for code, _ in results] == [0, 0]


def test_sigterm_ends_a_service_even_while_it_waits_for_kafka(start):
    ping = start("ping", *PING, KAFKA_BOOTSTRAP_SERVERS="127.0.0.1:1")
    eventually(lambda: "waiting for Kafka at 127.0.0.1:1" in ping.log)

    assert ping.terminate(5)[0] == 0
