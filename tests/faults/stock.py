"""For test_controls: StockService has nameko-kafka's entrypoint, OwnService has the entrypoint of this project."""

import os
import time

import nameko_kafka

from messaging.extensions import consume

TOPIC = os.environ["TEST_TOPIC"]
OPTIONS = {"bootstrap_servers": os.environ["KAFKA_BOOTSTRAP_SERVERS"], "auto_offset_reset": "earliest"}


def work(*values: bytes) -> None:
    time.sleep(1)  # slow work, such as a call to another service
    print("handled", *(value.decode() for value in values), flush=True)


class StockService:
    name = f"{TOPIC}-stock"

    @nameko_kafka.consume(TOPIC, group_id=name, semantic=nameko_kafka.Semantic.AT_LEAST_ONCE, **OPTIONS)
    def handle(self, message):
        work(message.value)


class OwnService:
    name = f"{TOPIC}-own"

    @consume(TOPIC)
    def handle(self, batch):
        work(*batch.values)
