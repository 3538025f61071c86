"""librdkafka's options. The settings use kafka-python's names. The tables here translate them."""

from collections.abc import Mapping

SHARED = {
    "bootstrap_servers": "bootstrap.servers",
    "connections_max_idle_ms": "connections.max.idle.ms",
    "reconnect_backoff_ms": "reconnect.backoff.ms",
    "reconnect_backoff_max_ms": "reconnect.backoff.max.ms",
}
CONSUMER = SHARED | {
    "auto_offset_reset": "auto.offset.reset",
    "fetch_min_bytes": "fetch.min.bytes",
    "fetch_max_wait_ms": "fetch.wait.max.ms",
    "group_id": "group.id",
    "heartbeat_interval_ms": "heartbeat.interval.ms",
    "max_partition_fetch_bytes": "max.partition.fetch.bytes",
    "max_poll_interval_ms": "max.poll.interval.ms",
    "max_poll_records": "max_poll_records",
    "request_timeout_ms": "socket.timeout.ms",
    "session_timeout_ms": "session.timeout.ms",
}
PRODUCER = SHARED | {
    "batch_size": "batch.size",
    "compression_type": "compression.type",
    "linger_ms": "linger.ms",
    "max_request_size": "message.max.bytes",
    "request_timeout_ms": "message.timeout.ms",
}

COMMON: dict[str, object] = {
    "log_level": 2,  # otherwise librdkafka writes several lines a second to stderr while Kafka is down
    # A broker that has just started may know no topics yet. Then librdkafka asks again after this time. By default, it
    # waits five minutes.
    "topic.metadata.refresh.interval.ms": 10_000,
}

SHORTEST_SESSION = 6000
"""Kafka's group.min.session.timeout.ms. With a shorter timeout, librdkafka would try to join the group for ever."""

CONSUMER_DEFAULTS: Mapping[str, object] = COMMON | {
    "fetch.queue.backoff.ms": 5,  # how long a full queue pauses fetching; by default 1 s, which is too long
    "fetch.wait.max.ms": 100,
    "heartbeat.interval.ms": 3000,
    "max.poll.interval.ms": 300_000,
    "max_poll_records": 2000,  # our own option: the maximum number of messages in one poll
    "queued.max.messages.kbytes": 16_384,  # the queue of one consumer; 64 MB by default
    "queued.min.messages": 20_000,  # for each partition
    "session.timeout.ms": 10_000,  # as kafka-python; by default, nobody reads a killed process's partitions for 45 s
}
CONSUMER_REQUIRED: Mapping[str, object] = {
    "enable.auto.commit": False,
    "enable.auto.offset.store": False,
    "isolation.level": "read_committed",
    "partition.assignment.strategy": "range,roundrobin",  # as kafka-python, so both clients work in one group
}
"""Without these, messages would be lost or come twice. No setting overrides them."""

PRODUCER_DEFAULTS: Mapping[str, object] = COMMON | {
    "acks": "all",
    "batch.size": 1_000_000,
    "enable.idempotence": True,
    "linger.ms": 2,  # larger batches are a fifth faster, but a single message takes 2 ms longer per hop
    "queue.buffering.max.messages": 200_000,  # twice MOST_QUEUED of the producer
}


def consumer_options(options: Mapping[str, object]) -> dict[str, object]:
    """Return librdkafka's options. `max_poll_records` is our own: librdkafka takes this number with each call."""
    made = {**CONSUMER_DEFAULTS, **_translated(options, CONSUMER), **CONSUMER_REQUIRED}
    session = max(SHORTEST_SESSION, _number(made, "session.timeout.ms"))
    interval = max(SHORTEST_SESSION, _number(made, "max.poll.interval.ms"))
    # librdkafka refuses a session timeout that is longer than max.poll.interval.ms.
    made |= {"session.timeout.ms": min(session, interval), "max.poll.interval.ms": interval}
    return made


def producer_options(options: Mapping[str, object]) -> dict[str, object]:
    return {**PRODUCER_DEFAULTS, **_translated(options, PRODUCER)}


def _translated(options: Mapping[str, object], names: Mapping[str, str]) -> dict[str, object]:
    """Return the options that librdkafka has. Names with dots are librdkafka's, all others are kafka-python's."""
    ours = {names[name]: value for name, value in options.items() if name in names}
    return ours | {name: value for name, value in options.items() if "." in name}


def _number(options: Mapping[str, object], name: str) -> int:
    return int(str(options[name]))
