"""Everything on this machine without Docker.

install [PACKAGE ...]   install what the brokers and the page need, and further system packages
start, stop, status     start, stop or show ZooKeeper, Kafka and RabbitMQ
run                     run the brokers, ping, pong and the API until Ctrl-C, as `make run` does
kafka-topics --list     this and some other commands of Kafka, on the running brokers
rabbitmqctl ...         RabbitMQ's command, on the running broker
"""

import argparse
import sys

from . import LocalError
from .brokers import DATA, Brokers
from .brokers.commands import COMMANDS, run_command
from .brokers.install import install
from .page import install_page
from .runner import run
from .settings import read_settings

OWN = "install", "start", "stop", "status", "run"


def main() -> int:
    parser = argparse.ArgumentParser(
        prog="python3 -m local",
        usage="%(prog)s COMMAND [ARGUMENT ...]",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("command", help=argparse.SUPPRESS)
    parser.add_argument("arguments", nargs=argparse.REMAINDER, help=argparse.SUPPRESS)
    asked = parser.parse_args()
    if asked.command not in (*OWN, *COMMANDS):
        parser.error(f"there is no command {asked.command!r}. There are {', '.join((*OWN, *COMMANDS))}.")
    if asked.arguments and asked.command in OWN[1:]:
        parser.error(f"{asked.command} takes no arguments.")
    try:
        return carry_out(asked.command, asked.arguments)
    except LocalError as error:
        print(error, file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        return 130


def carry_out(command: str, arguments: list[str]) -> int:
    """Carry out the command and return its exit code."""
    if command == "install":
        install(arguments)
        install_page()
        return 0
    if command == "run":
        return run()
    brokers = Brokers(DATA, read_settings())
    if command in COMMANDS:
        run_command(brokers, command, arguments)
    if command == "stop":
        brokers.claim()  # fails during `make run`, because `make run` would start the brokers again
        brokers.stop()
        return 0
    if command == "start":
        brokers.claim()
        brokers.start()
    return show(brokers)


def show(brokers: Brokers) -> int:
    """Print a line for each broker. If all are ready, print the addresses for the services. Otherwise return 1."""
    ready = [broker.ready() for broker in brokers]
    for broker, answers in zip(brokers, ready, strict=True):
        state = f"{broker.address:<16} pid {broker.pid}" if broker.pid else "does not run"
        print(f"{broker.name:<10} {state}{', does not answer' if broker.pid and not answers else ''}")
    if not all(ready):
        return 1
    print("export", *(f"{name}={value}" for name, value in brokers.environment.items()))
    return 0


if __name__ == "__main__":
    sys.exit(main())
