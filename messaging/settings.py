"""The settings, their defaults and limits. Every process checks them once, before it does anything else.

nameko reads them from config.yml, and fills in the values of the environment. They are read as text, because YAML would
turn 010 into 8.
"""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from ipaddress import ip_address
from pathlib import Path
from typing import Any, NamedTuple
from urllib.parse import urlsplit

PATH = Path(__file__).parent.parent / "config.yml"
KAFKA_PORT = 9092


@dataclass(frozen=True)
class KafkaSettings:
    """Kafka's addresses, and the options for consumers and for producers. The options have kafka-python's names."""

    servers: str
    consumer: Mapping[str, Any]
    producer: Mapping[str, Any]
    client: str = "kafka-python"
    """The client library, one of KAFKA_CLIENT."""


@dataclass(frozen=True)
class Settings:
    """The checked settings. Times are in seconds, sizes in bytes."""

    amqp_uri: str
    kafka: KafkaSettings
    delivery: str
    """One of DELIVERY."""
    topic_partitions: int
    replication_factor: int
    consumer_metric_batch: int
    max_messages: int
    max_size: int
    max_bytes: int
    request_timeout: int
    runs_pending: int
    runs_kept: int
    run_stalled: int
    api_hosts: frozenset[str]
    """Further names under which the API may be reached, in lower case."""
    health_file: Path | None
    metrics_host: str
    metrics_port: int


class Number(NamedTuple):
    """A whole number: its default, its minimum and its maximum."""

    default: int
    least: int
    most: int

    def parse(self, text: str) -> int:
        """Raises ValueError."""
        if not re.fullmatch("[0-9]{1,18}", text) or not self.least <= int(text) <= self.most:
            raise ValueError(f"must be a whole number from {self.least} to {self.most}, not {text[:50]!r}")
        return int(text)


class Choice(NamedTuple):
    """One of several words: the default is the first one."""

    words: tuple[str, ...]

    @property
    def default(self) -> str:
        return self.words[0]

    def parse(self, text: str) -> str:
        """Raises ValueError."""
        if text not in self.words:
            raise ValueError(f"must be {' or '.join(self.words)}, not {text[:50]!r}")
        return text


class Address(NamedTuple):
    """Addresses as text: their default, what they must be, and a function that completes them or raises ValueError."""

    default: str
    must: str
    complete: Callable[[str], str]

    def parse(self, text: str) -> str:
        """Raises ValueError."""
        try:
            return self.complete(text)
        except ValueError:
            # The part before an @ may be a password. A log must not show it.
            shown = re.sub(".*@", "***@", text, flags=re.DOTALL)
            raise ValueError(f"{self.must}, not {shown[:50]!r}") from None


def _rabbitmq(text: str) -> str:
    url = urlsplit(text)
    if url.scheme not in ("amqp", "amqps", "pyamqp") or not url.hostname or url.port == 0:
        raise ValueError(text)
    return text


def _kafka(text: str) -> str:
    """Add the default port if the port after a colon is missing. In .env, it is missing if KAFKA_PORT is empty."""
    completed = re.sub(r":(?=\s*(?:,|$))", f":{KAFKA_PORT}", text)
    host = r"\[[0-9a-fA-F:.]+\]|[\w.-]+"
    for server in completed.split(","):
        parts = re.fullmatch(rf"\s*(?:{host}):([0-9]{{1,5}})\s*", server, re.ASCII)
        if not parts or not 0 < int(parts[1]) < 65536:
            raise ValueError(text)
    return completed


def _hosts(text: str) -> str:
    names = [name.strip().lower() for name in text.split(",")]
    if not all(re.fullmatch(r"\[[0-9a-f:.]+\]|[a-z0-9_.-]+", name) for name in names):
        raise ValueError(text)
    return ",".join(names)


NUMBERS = {
    "TOPIC_PARTITIONS": Number(4, 1, 1000),
    "REPLICATION_FACTOR": Number(1, 1, 100),
    "CONSUMER_METRIC_BATCH": Number(100, 1, 1_000_000),  # the service keeps the latencies of one line in memory
    "MAX_MESSAGES": Number(1_000_000, 1, 1_000_000_000),
    "MAX_SIZE": Number(1_000_000, 1, 2_097_000),  # KAFKA_PRODUCER's max_request_size allows no more
    "MAX_BYTES": Number(1_000_000_000, 1, 1_000_000_000_000_000),
    "REQUEST_TIMEOUT": Number(60, 1, 86_400),
    "RUNS_PENDING": Number(100, 1, 1_000_000),
    "RUNS_KEPT": Number(1000, 1, 1_000_000),
    "RUN_STALLED": Number(30, 1, 86_400),
    "METRICS_PORT": Number(9101, 1, 65_535),
}
AMQP_URI = Address(
    "amqp://guest:guest@localhost:5672",
    "must be amqp://, amqps:// or pyamqp:// and a host, such as amqp://user:password@host:5672",
    _rabbitmq,
)
KAFKA_CLIENT = Choice(("kafka-python", "confluent-kafka"))
DELIVERY = Choice(("at-least-once", "exactly-once"))
LOG_FORMAT = Choice(("text", "json"))
KAFKA_SERVERS = Address(f"localhost:{KAFKA_PORT}", "must be host:port, or several with commas", _kafka)
METRICS_HOST = Address("127.0.0.1", "must be an IP address", lambda text: str(ip_address(text)))
API_HOSTS = Address("", "must be names or addresses without ports, with commas between them", _hosts)


def load() -> Settings:
    """Read config.yml and check it, for processes that `nameko run` does not start, such as the API."""
    import yaml
    from nameko.cli.main import setup_yaml_parser  # nameko's parser fills in ${NAME}

    setup_yaml_parser()
    return check(yaml.safe_load(PATH.read_text()))


def check(config: dict[str, Any]) -> Settings:
    """Return the settings of a nameko configuration. A setting that is absent or empty has its default.

    A setting that is wrong ends the process with an error message: the user has to change it first.
    nameko reads AMQP_URI by itself, so its default is put into `config`.
    """
    numbers = {name.lower(): parse(name, number, config.get(name)) for name, number in NUMBERS.items()}
    consumer, producer = config["KAFKA_CONSUMER"], config["KAFKA_PRODUCER"]
    servers = parse("KAFKA_BOOTSTRAP_SERVERS", KAFKA_SERVERS, consumer.get("bootstrap_servers"))
    config["AMQP_URI"] = parse("AMQP_URI", AMQP_URI, config.get("AMQP_URI"))
    hosts = parse("API_HOSTS", API_HOSTS, config.get("API_HOSTS"))
    health_file = config.get("HEALTH_FILE")
    return Settings(
        amqp_uri=config["AMQP_URI"],
        kafka=KafkaSettings(
            servers,
            consumer | {"bootstrap_servers": servers},
            producer | {"bootstrap_servers": servers},
            parse("KAFKA_CLIENT", KAFKA_CLIENT, config.get("KAFKA_CLIENT")),
        ),
        delivery=_delivery(config),
        metrics_host=parse("METRICS_HOST", METRICS_HOST, config.get("METRICS_HOST")),
        api_hosts=frozenset(hosts.split(",")) - {""},
        health_file=Path(health_file) if health_file else None,
        **numbers,
    )


def _delivery(config: Mapping[str, Any]) -> str:
    delivery: str = parse("DELIVERY", DELIVERY, config.get("DELIVERY"))
    client = parse("KAFKA_CLIENT", KAFKA_CLIENT, config.get("KAFKA_CLIENT"))
    if delivery == "exactly-once" and client != "confluent-kafka":
        raise SystemExit(
            f"DELIVERY={delivery} needs KAFKA_CLIENT=confluent-kafka, because {client} has no transactions."
        )
    return delivery


def parse(name: str, setting: Number | Choice | Address, value: object) -> Any:
    """Return the value of a setting, or its default if it is empty. Ends the process if it is wrong."""
    text = "" if value is None else str(value).strip()
    try:
        return setting.parse(text) if text else setting.default
    except ValueError as error:
        raise SystemExit(f"{name} {error}.") from None
