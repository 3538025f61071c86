"""The commands that come with Kafka and RabbitMQ, run on the brokers of this folder."""

import os
from typing import NoReturn

from .. import LocalError
from . import Brokers
from .broker import Broker
from .install import check_installed
from .kafka import java
from .rabbitmq import script

TOOLS = "org.apache.kafka.tools"
KAFKA_CLASSES = {
    "kafka-broker-api-versions": "kafka.admin.BrokerApiVersionsCommand",
    "kafka-configs": "kafka.admin.ConfigCommand",
    "kafka-console-consumer": f"{TOOLS}.consumer.ConsoleConsumer",
    "kafka-console-producer": "kafka.tools.ConsoleProducer",
    "kafka-consumer-groups": f"{TOOLS}.consumer.group.ConsumerGroupCommand",
    "kafka-consumer-perf-test": f"{TOOLS}.ConsumerPerformance",
    "kafka-delete-records": f"{TOOLS}.DeleteRecordsCommand",
    "kafka-get-offsets": f"{TOOLS}.GetOffsetShell",
    "kafka-log-dirs": f"{TOOLS}.LogDirsCommand",
    "kafka-producer-perf-test": f"{TOOLS}.ProducerPerformance",
    "kafka-topics": f"{TOOLS}.TopicCommand",
    "kafka-transactions": f"{TOOLS}.TransactionsCommand",
}
"""The Java class of each command of Kafka."""
COMMANDS = (*KAFKA_CLASSES, "rabbitmqctl")


def run_command(brokers: Brokers, name: str, arguments: list[str]) -> NoReturn:
    """Replace this process by the command. Raises LocalError if something is not installed or the broker is down."""
    check_installed()
    if name in KAFKA_CLASSES:
        command = java("-Xmx512M", KAFKA_CLASSES[name], *with_address(name, arguments, brokers))
        os.execvp(command[0], command)
    check_runs(brokers.rabbitmq)
    os.execvpe(script(name), [name, *arguments], brokers.rabbitmq.environment())


def with_address(name: str, arguments: list[str], brokers: Brokers) -> list[str]:
    """Return the arguments with Kafka's address, unless they have one or ask for help."""
    if any(argument.startswith(("--bootstrap", "bootstrap.servers", "--help", "--version")) for argument in arguments):
        return arguments
    check_runs(brokers.kafka)
    if name != "kafka-producer-perf-test":
        return ["--bootstrap-server", brokers.kafka.address, *arguments]
    option = "--producer-props"  # this command has no --bootstrap-server, and only its last --producer-props counts
    arguments = arguments if option in arguments else [*arguments, option]
    position = len(arguments) - arguments[::-1].index(option)
    return [*arguments[:position], f"bootstrap.servers={brokers.kafka.address}", *arguments[position:]]


def check_runs(broker: Broker) -> None:
    if not broker.pid:
        raise LocalError(f"{broker.name} does not run in this folder. `python3 -m local start` starts it.")
