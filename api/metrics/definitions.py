"""The metrics of the API, in the order of docs/metrics.md, which gives their formulas and sources."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field

COUNTER, GAUGE, HISTOGRAM = "counter", "gauge", "histogram"
PRODUCER, BROKERS, TOPICS, CONSUMERS, MORE = "producer", "brokers", "topics", "consumers", "more"

Merge = Callable[[Iterable[float]], float]


@dataclass(frozen=True, eq=False)
class Metric:
    """A metric. `merge` combines the numbers of all partitions into one number."""

    name: str
    kind: str
    section: str
    help: str
    labels: tuple[str, ...] = ()
    merge: Merge = field(default=sum, repr=False)


PRODUCER_RATE = Metric(
    "pingpong_producer_messages_per_second", GAUGE, PRODUCER,
    "Messages and answers that Kafka acknowledged to a service, per second, in the last 10 seconds.", ("service",),
)  # fmt: skip
PRODUCER_MESSAGES = Metric(
    "pingpong_producer_messages_total", COUNTER, PRODUCER,
    "Messages and answers that Kafka has acknowledged to a service.", ("service",),
)  # fmt: skip
PRODUCER_BYTES = Metric(
    "pingpong_producer_payload_bytes_total", COUNTER, PRODUCER,
    "Payload bytes of the messages and answers that Kafka has acknowledged to a service.", ("service",),
)  # fmt: skip
PRODUCER_FAILED = Metric(
    "pingpong_producer_failed_messages_total", COUNTER, PRODUCER,
    "Messages and answers that Kafka did not acknowledge to a service. This is the sum over all instances.",
    ("service",),
)  # fmt: skip
PRODUCER_REPEATED = Metric(
    "pingpong_producer_repeated_messages_total", COUNTER, PRODUCER,
    "Messages and answers that Kafka has acknowledged to a service once more, because the service sent them again.",
    ("service",),
)  # fmt: skip

KAFKA_UP = Metric(
    "pingpong_kafka_up", GAUGE, BROKERS, "0 if the last query to Kafka failed or no answer came for 10 seconds, else 1."
)
BROKER_COUNT = Metric("pingpong_kafka_brokers", GAUGE, BROKERS, "Kafka brokers that run.")
BROKER_LEADERS = Metric(
    "pingpong_broker_leaders", GAUGE, BROKERS,
    "Partitions that a broker leads. This is the sum over all topics.", ("broker",),
)  # fmt: skip
LEADER_SKEW = Metric(
    "pingpong_broker_leader_skew_ratio", GAUGE, BROKERS,
    "Largest number of partitions that one broker leads, divided by the mean of all brokers. Absent with one broker.",
)  # fmt: skip
BROKER_BYTES = Metric(
    "pingpong_broker_log_bytes", GAUGE, BROKERS, "Bytes of all partitions on the disks of a broker.", ("broker",)
)
BROKER_SKEW = Metric(
    "pingpong_broker_log_skew_ratio", GAUGE, BROKERS,
    "Largest number of bytes on the disks of one broker, divided by the mean of all brokers. Absent with one broker.",
)  # fmt: skip
BROKER_GROWTH = Metric(
    "pingpong_broker_log_growth_bytes_per_second", GAUGE, BROKERS,
    "Growth of the bytes on the disks of a broker, per second, in the last 10 seconds.", ("broker",),
)  # fmt: skip

MESSAGE_SKEW = Metric(
    "pingpong_topic_message_skew_ratio", GAUGE, TOPICS,
    "Largest number of messages that reached one partition in the last 10 seconds, divided by the mean of all"
    " partitions of the topic. Absent with one partition, or if no message arrived.", ("topic",),
)  # fmt: skip
TOPIC_SKEW = Metric(
    "pingpong_topic_log_skew_ratio", GAUGE, TOPICS,
    "Bytes in the largest partition, divided by the mean of all partitions of the topic. Absent with one partition.",
    ("topic",),
)  # fmt: skip
TOPIC_RATE = Metric(
    "pingpong_topic_messages_per_second", GAUGE, TOPICS,
    "Messages that reached a topic, per second, in the last 10 seconds.", ("topic",),
)  # fmt: skip
TOPIC_GROWTH = Metric(
    "pingpong_topic_log_growth_bytes_per_second", GAUGE, TOPICS,
    "Growth of a topic in bytes per second, in the last 10 seconds.", ("topic",),
)  # fmt: skip
TOPIC_MESSAGES = Metric(
    "pingpong_topic_messages_total", COUNTER, TOPICS, "Messages that have reached a partition.", ("topic", "partition")
)
TOPIC_BYTES = Metric(
    "pingpong_topic_log_bytes", GAUGE, TOPICS, "Bytes of a partition on the disks of its leader.",
    ("topic", "partition"),
)  # fmt: skip

CONSUMER_RATE = Metric(
    "pingpong_consumer_messages_per_second", GAUGE, CONSUMERS,
    "Messages that a consumer group committed, per second, in the last 10 seconds.", ("group",),
)  # fmt: skip
CONSUMER_MESSAGES = Metric(
    "pingpong_consumer_committed_messages_total", COUNTER, CONSUMERS,
    "Messages that the consumer group has committed in a partition.", ("group", "partition"),
)  # fmt: skip
LAG = Metric(
    "pingpong_consumer_lag_messages", GAUGE, CONSUMERS,
    "Messages that the consumer group has not committed in a partition.", ("group", "partition"),
)  # fmt: skip
LAG_SECONDS = Metric(
    "pingpong_consumer_lag_seconds", GAUGE, CONSUMERS,
    "Age of the oldest message that the consumer group has not committed in a partition. 0 if all are committed.",
    ("group", "partition"), max,
)  # fmt: skip

LATENCY = Metric(
    "pingpong_message_latency_seconds", HISTOGRAM, MORE,
    "Time from the first sending of a message, or from its due time in a paced run, until it reaches a stage. The label"
    " service names the sender of the run.", ("service", "stage"),
)  # fmt: skip
STAGE_MESSAGES = Metric(
    "pingpong_stage_messages_total", COUNTER, MORE,
    "Messages that have reached a stage. The label service names the sender of the run.", ("service", "stage"),
)  # fmt: skip
DUPLICATES = Metric(
    "pingpong_duplicate_messages_total", COUNTER, MORE,
    "Messages that have reached a stage again. The label service names the sender of the run.", ("service", "stage"),
)  # fmt: skip
MISSING = Metric(
    "pingpong_missing_messages", GAUGE, MORE,
    "Messages that have not reached a stage. Counts only kept runs that are over or stalled.", ("service", "stage"),
)  # fmt: skip
RABBITMQ_UP = Metric(
    "pingpong_rabbitmq_up", GAUGE, MORE,
    "0 if the last query to RabbitMQ failed or no answer came for 10 seconds, else 1.",
)  # fmt: skip
QUEUE_MESSAGES = Metric(
    "pingpong_rpc_queue_messages", GAUGE, MORE, "Calls of a service that wait in RabbitMQ.", ("service",)
)
QUEUE_CONSUMERS = Metric(
    "pingpong_rpc_queue_consumers", GAUGE, MORE, "Instances of a service that take calls from RabbitMQ.", ("service",)
)
RUNS = Metric("pingpong_runs", GAUGE, MORE, "Runs that the API keeps, by state.", ("state",))
STALLED = Metric("pingpong_stalled_runs", GAUGE, MORE, "Runs that are not over and do not change.")

METRICS = tuple(value for value in list(globals().values()) if isinstance(value, Metric))
"""All metrics, in the order above."""
