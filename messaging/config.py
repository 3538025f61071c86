"""The settings: what each may be, and its default. Whoever starts has them checked here, once, before anything else.

config.yml has the environment's values put in, by nameko's parser: as text, for YAML would make 8 of 010.
"""

import re
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple
from urllib.parse import urlsplit

import yaml
from nameko.cli.main import setup_yaml_parser

PATH = Path(__file__).parent.parent / "config.yml"


class Number(NamedTuple):
    """A whole number: its default, the least and the most it may be."""

    default: int
    least: int
    most: int

    def parse(self, text: str) -> int:
        """Raises ValueError."""
        if not re.fullmatch("[0-9]{1,18}", text) or not self.least <= int(text) <= self.most:
            raise ValueError(f"must be a whole number from {self.least} to {self.most}, not {text[:50]!r}")
        return int(text)


class Address(NamedTuple):
    """An address, as text: its default, and what says by ValueError or False that it is none."""

    default: str
    must: str
    is_valid: Callable[[str], bool]

    def parse(self, text: str) -> str:
        """Raises ValueError."""
        try:
            valid = self.is_valid(text)
        except ValueError:
            valid = False
        if not valid:
            # What is before an @ may be a password, and does not belong into a log.
            shown = re.sub(".*@", "***@", text, flags=re.DOTALL)
            raise ValueError(f"{self.must}, not {shown[:50]!r}")
        return text


def _is_rabbitmq(text: str) -> bool:
    url = urlsplit(text)
    return url.scheme in ("amqp", "amqps", "pyamqp") and bool(url.hostname) and url.port != 0


def _is_kafka(text: str) -> bool:
    host = r"\[[0-9a-fA-F:.]+\]|[\w.-]+"
    servers = [re.fullmatch(rf"\s*(?:{host}):([0-9]{{1,5}})\s*", server, re.ASCII) for server in text.split(",")]
    return all(server and 0 < int(server[1]) < 65536 for server in servers)


SETTINGS = {
    "TOPIC_PARTITIONS": Number(4, 1, 1000),
    "REPLICATION_FACTOR": Number(1, 1, 100),
    "CONSUMER_METRIC_BATCH": Number(100, 1, 1_000_000_000),
    "MAX_MESSAGES": Number(1_000_000, 1, 1_000_000_000),
    "MAX_SIZE": Number(1_000_000, 1, 2_097_000),  # as far as KAFKA_PRODUCER's max_request_size goes
    "MAX_BYTES": Number(1_000_000_000, 1, 1_000_000_000_000_000),
    "REQUEST_TIMEOUT": Number(60, 1, 86_400),
    "RUNS_PENDING": Number(100, 1, 1_000_000),
    "RUNS_KEPT": Number(1000, 1, 1_000_000),
    "RUN_STALLED": Number(30, 1, 86_400),
    "AMQP_URI": Address(
        "amqp://guest:guest@localhost:5672",
        "must be amqp://, amqps:// or pyamqp:// and a host, such as amqp://user:password@host:5672",
        _is_rabbitmq,
    ),
    "KAFKA_BOOTSTRAP_SERVERS": Address("localhost:9092", "must be host:port, or several with commas", _is_kafka),
}


def load() -> dict:
    """The checked configuration, for those that `nameko run` does not start: the API, tests and benchmarks."""
    setup_yaml_parser()
    config = yaml.safe_load(PATH.read_text())
    check(config)
    return config


def check(config: dict) -> None:
    """Make numbers of the settings that are numbers, and put in the defaults of those that are absent or empty.

    Ends the process, with one sentence, if one is not as it must be: whoever starts it again has to change it first.
    """
    kafka = config["KAFKA_CONSUMER"], config["KAFKA_PRODUCER"]
    for name, setting in SETTINGS.items():
        places = [(part, "bootstrap_servers") for part in kafka] if "KAFKA" in name else [(config, name)]
        for part, key in places:
            value = part.get(key)
            text = "" if value is None else str(value).strip()
            try:
                part[key] = setting.parse(text) if text else setting.default
            except ValueError as error:
                raise SystemExit(f"{name} {error}.") from None
