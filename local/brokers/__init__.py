"""The real ZooKeeper, Kafka and RabbitMQ on loopback, without Docker, by Python's standard library alone.

For example:

    with Brokers(directory) as brokers:
        subprocess.run(command, env=os.environ | brokers.environment)
"""

import fcntl
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Literal, Self

from .install import missing
from .kafka import Kafka, ZooKeeper
from .process import Broker, BrokerError
from .rabbitmq import RabbitMQ

__all__ = ["BrokerError", "Brokers"]


class Brokers:
    """The three of them, with their data in `directory`. One that already runs there is used as it is.

    `ports`: "usual" for 2181, KAFKA_PORT (9092) and RABBITMQ_PORT (5672), or others where these are taken;
    "free" for any free ones, so that several sets can run at once.
    """

    def __init__(self, directory: str | Path, ports: Literal["free", "usual"] = "free"):
        self.directory = directory = Path(directory).resolve()
        zookeeper = kafka = rabbitmq = 0
        if ports == "usual":
            zookeeper, kafka, rabbitmq = 2181, port("KAFKA_PORT", 9092), port("RABBITMQ_PORT", 5672)
        self.zookeeper = ZooKeeper(directory / "zookeeper", zookeeper)
        self.kafka = Kafka(directory / "kafka", kafka, self.zookeeper)
        self.rabbitmq = RabbitMQ(directory / "rabbitmq", rabbitmq)

    @staticmethod
    def missing() -> list[str]:
        """What has to be installed before they can start, by name."""
        return missing()

    @property
    def kafka_bootstrap(self) -> str:
        return self.kafka.address

    @property
    def amqp_uri(self) -> str:
        return f"amqp://guest:guest@{self.rabbitmq.address}"

    @property
    def environment(self) -> dict[str, str]:
        """The settings by which a service finds them."""
        return {"KAFKA_BOOTSTRAP_SERVERS": self.kafka_bootstrap, "AMQP_URI": self.amqp_uri}

    def claim(self) -> None:
        """Keep other runners off this directory while this process lives. Raises BrokerError if one has it."""
        path = self.directory / "lock"
        try:
            self.directory.mkdir(parents=True, exist_ok=True)
            self._lock = path.open("a")  # open until the process ends, however it does, and with it the lock
            fcntl.flock(self._lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise BrokerError(
                "`make run` or `python3 -m local start` is at work in this folder already: "
                "use that one, or end it with Ctrl-C and try again."
            ) from None
        except OSError as error:
            raise BrokerError(f"{path} cannot be written: {error.strerror}.") from None

    def start(self) -> None:
        """Start those that do not run; return when all are ready. After a BrokerError none is left."""
        if names := self.missing():
            raise BrokerError(f"Missing: {', '.join(names)}. `python3 -m local install` gets it.")
        try:
            if not self.zookeeper.pid:
                self.kafka.kill()  # it could not find a ZooKeeper that comes back on another port
            for broker in self:
                broker.launch()
            for broker in self:
                broker.wait()
        except OSError as error:
            self.stop()
            raise BrokerError(f"The brokers cannot be started in {self.directory}: {error}.") from None
        except BaseException:
            self.stop()
            raise

    def stop(self) -> None:
        """End those that run."""
        self.rabbitmq.ask_to_end()
        self.kafka.ask_to_end()
        self.rabbitmq.await_end()
        self.kafka.await_end()
        self.zookeeper.stop()  # last: without it Kafka takes long to end

    def __iter__(self) -> Iterator[Broker]:
        # RabbitMQ before Kafka: it starts meanwhile when Kafka's launch waits for ZooKeeper.
        return iter((self.zookeeper, self.rabbitmq, self.kafka))

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, *exception) -> None:
        self.stop()


def port(variable: str, default: int) -> int:
    text = os.environ.get(variable) or str(default)
    if not (text.isascii() and text.isdigit() and 0 < int(text) < 65536):
        raise BrokerError(f"{variable} must be a port, a number from 1 to 65535, not {text!r}.")
    return int(text)
