"""The brokers, the folder for logs and the observer. All measurements of one command share them."""

import os
import tempfile
from collections.abc import Iterator
from contextlib import AbstractContextManager, closing, contextmanager
from dataclasses import dataclass
from pathlib import Path

from benchmarks.api import Api
from benchmarks.observer import Observer
from benchmarks.processes import output_of, service
from local.brokers import Brokers
from local.processes import Process
from messaging.clients import connect
from messaging.settings import KafkaSettings


@dataclass
class Site:
    """Everything that the measurements share."""

    directory: Path
    kafka: str
    """Kafka's address."""
    observer: Observer

    @classmethod
    @contextmanager
    def opened(cls) -> Iterator["Site"]:
        """Start brokers for this command, and stop them at the end."""
        with tempfile.TemporaryDirectory(prefix="benchmarks-") as directory, Brokers(directory) as brokers:
            os.environ.update(brokers.environment)  # every process that is started later inherits these
            client = connect(KafkaSettings(brokers.kafka_bootstrap, consumer={}, producer={}))
            with closing(Observer(client)) as observer:
                yield cls(Path(directory), brokers.kafka_bootstrap, observer)

    def log(self, name: str) -> Path:
        return self.directory / f"{name}.log"

    def service(self, name: str) -> AbstractContextManager[Process]:
        return service(self.log(name), name)

    def api(self) -> AbstractContextManager[Api]:
        return Api.running(self.log("api"))

    def fill(self, topic: str, messages: int) -> None:
        """Put this many stamped messages into the topic."""
        output_of("benchmarks.contenders.loops", "threads", "fill", topic, str(messages))
