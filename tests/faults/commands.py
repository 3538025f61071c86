"""Kafka's own commands, run on the brokers of the tests."""

import subprocess

from local.brokers import Brokers
from local.brokers.commands import KAFKA_CLASSES, with_address
from local.brokers.kafka import java


def kafka_command(brokers: Brokers, name: str, *arguments: str) -> str:
    """Return what a command such as kafka-configs prints. Raises CalledProcessError."""
    command = java("-Xmx512M", KAFKA_CLASSES[name], *with_address(name, list(arguments), brokers))
    return subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True, timeout=60).stdout
