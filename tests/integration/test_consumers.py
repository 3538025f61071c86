"""Consumers that come and go: nothing is missed, and nothing that was acknowledged is lost."""

import re
import signal
import time
import uuid
from collections import Counter
from concurrent.futures import ThreadPoolExecutor

import pytest

from messaging.stamp import stamps, unpack
from tests.integration.ledger import Ledger, produce
from tests.integration.processes import NAMEKO_RUN, eventually


def total(process) -> int:
    return int(process.stats()[-1]["total"]) if process.stats() else 0


def test_two_services_of_one_group_share_the_partitions(stack, ledger):
    second = stack.start_service("pong")
    eventually(lambda: len(stack.pong.assigned()) == len(second.assigned()) == 2, what="no two partitions each")
    assert stack.get("/ping/8000/10").status_code == 200
    ledger.wait_until_consumed()

    assert stack.pong.assigned() | second.assigned() == {f"pong/{number}" for number in range(4)}
    eventually(lambda: total(stack.pong) + total(second) == 8000)
    assert total(stack.pong) > 0 < total(second)
    assert ledger.count("ping") == 8000


def test_a_consumer_that_joins_late_misses_nothing(stack, ledger):
    assert stack.ping.terminate()[0] == 0
    assert stack.get("/pong/3000/10").status_code == 200
    ping = stack.start_service("ping")
    ledger.wait_until_consumed()

    eventually(lambda: total(ping) == 3000)


@pytest.mark.parametrize("service", ["ping", "pong"])
def test_sigterm_in_the_middle_of_consuming_loses_and_repeats_nothing(stack, ledger, service):
    first = getattr(stack, service)
    with ThreadPoolExecutor() as pool:
        answer = pool.submit(stack.get, "/ping/40000/100" if service == "pong" else "/pong/40000/100")
        eventually(lambda: total(first) >= 5000)
        code, _ = first.terminate(10)
        stack.start_service(service)
        assert answer.result().status_code == 200
    ledger.wait_until_consumed()

    assert code == 0
    assert "Traceback" not in first.log
    assert Counter(Counter(record.key for record in ledger.records("ping")).values()) == {1: 40_000}


def test_sigterm_in_the_middle_of_sending_says_so_and_is_not_done_again(stack, ledger):
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


def test_a_call_that_was_given_up_when_stopping_is_not_handed_to_another_instance(stack, ledger):
    with ThreadPoolExecutor() as pool:
        answer = pool.submit(stack.get, "/ping/500000/100")
        eventually(lambda: ledger.count("pong") > 1000)
        second = stack.start_service("ping")
        eventually(second.assigned)
        stack.brokers.kafka.suspend()  # so that the call cannot come to its end at once
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


def test_a_killed_consumer_loses_nothing(stack, ledger):
    with ThreadPoolExecutor() as pool:
        answer = pool.submit(stack.get, "/ping/40000/100")
        eventually(lambda: total(stack.pong) >= 5000)
        stack.pong.popen.send_signal(signal.SIGKILL)
        stack.start_service("pong")
        assert answer.result().status_code == 200
    ledger.wait_until_consumed()

    assert {unpack(record.key)[1] for record in ledger.records("ping")} == set(range(40_000))


def test_foreign_messages_are_counted_and_answered(stack, ledger):
    foreign = [(None, b"no key"), (b"short", b"x"), (b"x" * 32, bytes(900_000)), (b"no value", None), (b"", b"")]
    produce(stack.brokers.kafka_bootstrap, "pong", foreign + [(key, b"mine") for key in stamps(bytes(16), range(95))])
    ledger.wait_until_consumed()

    line = eventually(stack.pong.stats)[0]
    assert (line["messages"], line["unstamped"]) == (100, 5)
    answered = Counter((record.key, record.value) for record in ledger.records("ping"))
    assert all(answered[message] == 1 for message in foreign)
    assert answered.total() == 100


def test_sigterm_with_kafka_frozen_ends_in_time(stack):
    stack.brokers.kafka.suspend()
    try:
        time.sleep(1)
        results = [process.terminate(10) for process in (stack.ping, stack.pong)]
    finally:
        stack.brokers.kafka.resume()

    assert [code for code, _ in results] == [0, 0]


def test_sigterm_with_kafka_gone_ends_in_time_and_its_return_is_waited_for(stack, ledger):
    stack.brokers.kafka.kill()
    try:
        code, _ = stack.ping.terminate(10)
        ping = stack.start_service("ping")
        eventually(lambda: "waiting for Kafka at" in ping.log)
        assert stack.get("/readyz").status_code == 503
    finally:
        stack.brokers.kafka.start()
    stack.wait_until_ready()

    assert code == 0
    assert stack.get("/ping/1000/10").status_code == 200
    ledger.wait_until_consumed()
    assert ledger.count("ping") == 1000


def test_sigterm_while_waiting_for_kafka_ends_at_once(start):
    ping = start("ping", *NAMEKO_RUN, "ping", KAFKA_BOOTSTRAP_SERVERS="127.0.0.1:1")
    eventually(lambda: "waiting for Kafka at 127.0.0.1:1" in ping.log)

    assert ping.terminate(5)[0] == 0


def test_a_handler_that_is_slow_or_raises_loses_and_repeats_nothing(start, brokers):
    topic = f"stubborn-{uuid.uuid4().hex[:8]}"
    service = start("stubborn", *NAMEKO_RUN, "tests.integration.stubborn", TEST_TOPIC=topic)
    eventually(lambda: len(service.assigned()) == 4)
    produce(brokers.kafka_bootstrap, topic, [(None, str(number).encode()) for number in range(100)])

    def handled() -> list[int]:
        lines = re.findall(r"^handled (.*)", service.log, re.M)
        return sorted(int(number) for line in lines for number in line.split())

    eventually(lambda: handled() == list(range(100)))
    assert "were not handled; once more in 1 s" in service.log
    assert service.terminate(10)[0] == 0
    with Ledger(brokers.kafka_bootstrap, []) as ledger:
        assert ledger.lag(topic, topic) == 0
