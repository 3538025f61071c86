"""ZooKeeper, Kafka and RabbitMQ on this machine: install what they need, start, stop, or show them."""

import argparse
import sys

from .brokers import BrokerError, Brokers
from .brokers.install import HERE, install


def show(brokers: Brokers) -> bool:
    """Print a line for each broker; return whether all are ready."""
    all_ready = True
    for broker in brokers:
        ready = broker.ready()
        all_ready = all_ready and ready
        state = f"{broker.address:<16} pid {broker.pid}" if broker.pid else "does not run"
        print(f"{broker.name:<10} {state}{', does not answer' if broker.pid and not ready else ''}")
    return all_ready


def main() -> None:
    parser = argparse.ArgumentParser(prog="python3 -m local", description=__doc__)
    parser.add_argument("command", choices=["install", "start", "stop", "status"])
    parser.add_argument("packages", nargs="*", help="further system packages to install, if absent")
    arguments = parser.parse_args()
    command = arguments.command
    try:
        brokers = Brokers(HERE / "data", ports="usual")
        if command == "install":
            install(arguments.packages)
        elif command == "stop":
            brokers.stop()
        else:
            if command == "start":
                brokers.claim()
                brokers.start()
            if not show(brokers):
                sys.exit(1)
            print("export", *(f"{name}={value}" for name, value in brokers.environment.items()))
    except BrokerError as error:
        sys.exit(str(error))
    except KeyboardInterrupt:
        sys.exit(130)


if __name__ == "__main__":
    main()
