"""The real ZooKeeper, Kafka and RabbitMQ on loopback, without Docker.

For example:

    with Brokers(directory) as brokers:
        subprocess.run(command, env=os.environ | brokers.environment)
"""

import fcntl
from collections.abc import Iterator, Mapping
from contextlib import ExitStack
from pathlib import Path
from typing import Self

from .. import LocalError
from ..ports import port_from
from .broker import Broker
from .install import HERE, check_installed, missing
from .kafka import Kafka, ZooKeeper
from .rabbitmq import RabbitMQ

__all__ = ["DATA", "Brokers"]

DATA = HERE / "data"
"""The data of the brokers that `make run` and `python3 -m local start` run."""


class Brokers:
    """All three brokers, with their data in `directory`. If one already runs there, it is used.

    With `settings`, they listen on 2181, KAFKA_PORT (9092) and RABBITMQ_PORT (5672). If a port is taken, they choose
    another one. Without `settings`, they listen on any free ports, so that several sets can run at once.
    """

    def __init__(self, directory: str | Path, settings: Mapping[str, str] | None = None):
        self.directory = directory = Path(directory).resolve()
        zookeeper = kafka = rabbitmq = 0
        if settings is not None:
            kafka, rabbitmq = port_from(settings, "KAFKA_PORT", 9092), port_from(settings, "RABBITMQ_PORT", 5672)
            zookeeper = 2181
        self.zookeeper = ZooKeeper(directory / "zookeeper", zookeeper)
        self.kafka = Kafka(directory / "kafka", kafka, self.zookeeper)
        self.rabbitmq = RabbitMQ(directory / "rabbitmq", rabbitmq)

    @staticmethod
    def missing() -> list[str]:
        """Return the names of everything that must be installed first."""
        return missing()

    @property
    def kafka_bootstrap(self) -> str:
        return self.kafka.address

    @property
    def amqp_uri(self) -> str:
        return f"amqp://guest:guest@{self.rabbitmq.address}"

    @property
    def environment(self) -> dict[str, str]:
        """The settings that tell a service where the brokers are."""
        return {"KAFKA_BOOTSTRAP_SERVERS": self.kafka_bootstrap, "AMQP_URI": self.amqp_uri}

    def claim(self) -> None:
        """Reserve the directory until this process ends. Raises LocalError if another process has reserved it."""
        path = self.directory / "lock"
        try:
            self.directory.mkdir(parents=True, exist_ok=True)
            self._lock = path.open("a")  # the lock lasts while the file is open, so it ends with the process
            fcntl.flock(self._lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise LocalError(
                "`make run` or `python3 -m local start` already runs in this folder. "
                "Use that one, or end it with Ctrl-C and try again."
            ) from None
        except OSError as error:
            raise LocalError(f"{path} cannot be written: {error.strerror}.") from None

    def start(self) -> None:
        """Start the brokers that do not run. Return when all are ready. Raises LocalError.

        If something is not installed, nothing changes. After any other error, no broker runs.
        """
        check_installed()
        try:
            if not self.zookeeper.pid:
                self.kafka.kill()  # a Kafka that still runs might not find ZooKeeper, which may get a new port
            for broker in self:
                broker.launch()
            for broker in self:
                broker.wait()
        except OSError as error:
            self.stop()
            raise LocalError(f"The brokers cannot be started in {self.directory}: {error}.") from None
        except BaseException:
            self.stop()
            raise

    def stop(self) -> None:
        """End the brokers that run, even if a signal interrupts the wait for one of them."""
        self.rabbitmq.ask_to_end()
        self.kafka.ask_to_end()
        with ExitStack() as ends:  # calls the functions in reverse order, even if one raises
            ends.callback(self.zookeeper.stop)  # last, because Kafka takes long to end without ZooKeeper
            ends.callback(self.kafka.await_end)
            ends.callback(self.rabbitmq.await_end)

    def __iter__(self) -> Iterator[Broker]:
        # RabbitMQ comes before Kafka, because it can start while Kafka waits for ZooKeeper.
        return iter((self.zookeeper, self.rabbitmq, self.kafka))

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, *exception: object) -> None:
        self.stop()
