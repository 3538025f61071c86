"""Foreign and broken messages, and a handler that is too slow for Kafka."""

import re
import uuid
from collections import Counter

from local.services import NAMEKO_RUN
from tests.integration.ledger import Ledger, produce
from tests.integration.processes import eventually

FOREIGN = [
    (None, b"no key"),
    (b"short", b"x"),
    (b"", b""),
    (bytes(31), b"the key is one byte too short for a stamp"),
    (b"\xff" * 32, b"the key is as long as a stamp, but names no run"),
    (b"x" * 100, b"\x00\xff garbage"),
    (b"large", bytes(1_000_000)),
    (b"no value", None),
]


def test_foreign_messages(trial):
    """Foreign and broken messages in the topics"""
    stack = trial.stack
    servers = stack.brokers.kafka_bootstrap
    with trial.fault():
        trial.start_both()
        for topic in "pong", "ping":
            produce(servers, topic, FOREIGN * 20)
        for topic in "run-requests", "run-states":
            produce(servers, topic, [(b"x", b"y"), (b"a/b/c", b"[]"), (b"\xff/sent/x", None)])
    trial.finish()

    answered = Counter((record.key, record.value) for record in trial.ledger.records("ping"))
    for message in FOREIGN:
        assert answered[message] == 40, message  # 20 that were sent to ping, and 20 answers of pong
    for process in stack.ping, stack.pong:
        assert sum(line["unstamped"] for line in process.stats()) > 0
        assert "Traceback" not in process.log


def test_a_handler_too_slow_for_kafka(start, brokers):
    """The handler first takes longer than max_poll_interval_ms, and then raises twice."""
    topic = f"stubborn-{uuid.uuid4().hex[:8]}"
    service = start("stubborn", *NAMEKO_RUN, "tests.faults.stubborn", TEST_TOPIC=topic)
    eventually(lambda: len(service.assigned()) == 4)
    produce(brokers.kafka_bootstrap, topic, [(None, str(number).encode()) for number in range(100)])

    def handled() -> list[int]:
        lines = re.findall(r"^handled (.*)", service.log, re.M)
        return sorted(int(number) for line in lines for number in line.split())

    eventually(lambda: handled() == list(range(100)))
    assert "were not handled, trying again in 1 s" in service.log
    assert service.terminate(10)[0] == 0
    with Ledger(brokers.kafka_bootstrap) as ledger:
        assert ledger.lag(topic, topic) == 0
