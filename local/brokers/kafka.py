"""Kafka and ZooKeeper, which keeps Kafka's cluster state. Each one is a JVM with the jars of pom.xml."""

import struct
from pathlib import Path

from ..ports import HOST
from ..waiting import wait_until
from .broker import START_SECONDS, Broker
from .install import HERE, JARS

ZOOKEEPER_SETTINGS = """\
# The paths are relative to the broker's folder, because Java reads this file as Latin-1.
dataDir=./data
clientPort={port}
clientPortAddress={host}
admin.enableServer=false
4lw.commands.whitelist=srvr,dump
"""

KAFKA_SETTINGS = """\
broker.id=1
listeners=PLAINTEXT://{host}:{port}
log.dirs=./data
zookeeper.connect={zookeeper}
zookeeper.connection.timeout.ms=60000
# A crashed Kafka cannot start again for this long, because ZooKeeper still considers it alive.
zookeeper.session.timeout.ms=6000

# A mistyped topic is an error, not a new topic.
auto.create.topics.enable=false
num.partitions=1
log.retention.hours=24

# By default, Kafka's internal topics have three replicas and fifty partitions. One broker cannot hold three replicas,
# and fifty partitions delay the first consumer.
offsets.topic.replication.factor=1
offsets.topic.num.partitions=4
transaction.state.log.replication.factor=1
transaction.state.log.min.isr=1
transaction.state.log.num.partitions=4
# Kafka aborts timed-out transactions at this interval. The default interval is 10 s. Until Kafka aborts the open
# transaction of a killed service, the transaction blocks readers.
transaction.abort.timed.out.transaction.cleanup.interval.ms=1000

# By default, a new consumer group waits 3 s for more members before it gets partitions.
group.initial.rebalance.delay.ms=0
"""


def java(*arguments: str) -> list[str]:
    log4j = (HERE / "log4j.properties").as_uri()
    return ["java", f"-Dlog4j.configuration={log4j}", "-cp", f"{JARS}/*", *arguments]


class ZooKeeper(Broker):
    name = "ZooKeeper"

    def command(self) -> list[str]:
        settings = ZOOKEEPER_SETTINGS.format(host=HOST, port=self.port)
        (self.directory / "zoo.cfg").write_text(settings)
        # ZooKeeper has only a few hundred small records. A simple garbage collector and compiler let it start sooner.
        options = ["-Xmx128M", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1"]
        return java(*options, "org.apache.zookeeper.server.quorum.QuorumPeerMain", "zoo.cfg")

    def answers(self) -> bool:
        return "Mode: standalone" in self.ask("srvr")

    def ask(self, four_letter_word: str) -> str:
        with self.connect() as connection:
            connection.sendall(four_letter_word.encode())
            return connection.makefile(errors="replace").read()


class Kafka(Broker):
    name = "Kafka"

    def __init__(self, directory: Path, wanted_port: int, zookeeper: ZooKeeper):
        super().__init__(directory, wanted_port)
        self.zookeeper = zookeeper

    def can_start(self) -> bool:
        # While a crashed Kafka is still registered, a new one ends with NodeExistsException.
        try:
            return self.zookeeper.ready() and "/brokers/ids/1" not in self.zookeeper.ask("dump")
        except OSError:
            return False  # ZooKeeper has just ended

    def launch(self) -> None:
        if not self.pid:
            self.zookeeper.start()
            wait_until(self.can_start, START_SECONDS)
        super().launch()

    def command(self) -> list[str]:
        settings = KAFKA_SETTINGS.format(host=HOST, port=self.port, zookeeper=self.zookeeper.address)
        (self.directory / "server.properties").write_text(settings)
        options = ["-Xms512M", "-Xmx1G", "-XX:+UseG1GC", "-XX:MaxGCPauseMillis=20"]
        return java(*options, "kafka.Kafka", "server.properties")

    def answers(self) -> bool:
        """Return True if the broker knows a controller. Without one, no topic can be created.

        Asks for the metadata of no topics, in version 1 of https://kafka.apache.org/protocol#The_Messages_Metadata.
        The response ends with the controller's id and the number of topics.
        """
        metadata, version, correlation, no_client_name, no_topics = 3, 1, 0, -1, 0
        request = struct.pack(">hhihi", metadata, version, correlation, no_client_name, no_topics)
        with self.connect() as connection:
            connection.sendall(struct.pack(">i", len(request)) + request)
            stream = connection.makefile("rb")
            size = int.from_bytes(stream.read(4), "big")
            return stream.read(size).endswith(struct.pack(">ii", 1, 0))
