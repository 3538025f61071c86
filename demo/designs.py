"""The designs that the demo compares."""

from functools import partial

from benchmarks.designs import Design, Ours, Textbook

CONFLUENT = "confluent-kafka"
DESIGNS = (
    Design("textbook", "kafka-python", 30_000, Textbook),
    Design("at-least-once", CONFLUENT, 1_000_000, partial(Ours, client=CONFLUENT, delivery="at-least-once")),
    Design("exactly-once", CONFLUENT, 1_000_000, partial(Ours, client=CONFLUENT, delivery="exactly-once")),
)
