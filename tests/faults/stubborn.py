"""A service for test_messages. Its handler first takes too long for Kafka, then raises twice, then works."""

import os
import time

from messaging.extensions import consume

ATTEMPTS = iter(["slow", "fail", "fail"])


class StubbornService:
    name = os.environ["TEST_TOPIC"]

    @consume(os.environ["TEST_TOPIC"], max_poll_interval_ms=3000, max_poll_records=10)
    def handle(self, batch):
        attempt = next(ATTEMPTS, "work")
        if attempt == "slow":
            time.sleep(7)  # longer than max_poll_interval_ms, which consumer_options raises to 6 s for confluent-kafka
        if attempt == "fail":
            raise RuntimeError("on purpose")
        print("handled", *(value.decode() for value in batch.values), flush=True)
