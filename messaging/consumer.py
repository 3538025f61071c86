"""Receiving from Kafka: nameko-kafka's entrypoint, made to hand over polled batches and to commit only what is done.

One greenthread alone touches the consumer: it polls, commits and closes. The handler runs in a worker as in any nameko
service, one at a time, and may return a `Delivery`: its batch is done once everything in that was acknowledged, while
the next batches are worked on already. Offsets are committed on a clock, and never beyond what is done; so what a
killed service had not finished comes again.
"""

import logging
import time
from collections import defaultdict, deque
from functools import partial
from pathlib import Path
from typing import NamedTuple

import nameko_kafka
from eventlet import Timeout
from eventlet.event import Event
from kafka import ConsumerRebalanceListener, TopicPartition
from kafka.errors import KafkaError
from kafka.structs import OffsetAndMetadata

from messaging.batch import Batch
from messaging.delivery import Delivery
from messaging.lifecycle import STOP_SECONDS, Stopping
from messaging.recorder import RunRecorder
from messaging.records import Message, read_faster
from messaging.topics import ensure_topics

log = logging.getLogger(__name__)

POLL_MS = 100
COMMIT_SECONDS = 0.2
REBALANCE_SECONDS = 3
"""How long a rebalance may be held up for what is in hand; what is not done by then comes again."""
RETRY_SECONDS = 30
"""At most this long between two attempts at a batch whose handler raises."""


class Pending(NamedTuple):
    """A batch that was handled, where its partitions go on after it, and what it still waits for."""

    batch: Batch
    offsets: dict[TopicPartition, int]
    delivery: Delivery | None


class BatchConsumer(nameko_kafka.KafkaConsumer):
    """Calls the decorated method with a `Batch` for each poll that brings messages of a topic.

    Options are kafka-python's, over those of KAFKA_CONSUMER in the configuration. The group is the service's name, so
    that all instances of a service share its topics. A handler that raises gets the same batch again.
    """

    stopping = Stopping()
    recorder = RunRecorder()

    def __init__(self, *topics: str, **options):
        super().__init__(*topics, **options)
        # nameko-kafka leaves out those that are false
        self._config.update((k, v) for k, v in options.items() if k in self._consumer_cls.DEFAULT_CONFIG)
        self._thread = None
        self.joined = False  # a member of the group, though perhaps one without partitions
        self._pending: deque[Pending] = deque()
        self._done: dict[TopicPartition, int] = {}  # where each partition goes on after all that is done
        self._recorded: dict[TopicPartition, int] = {}  # and after all of that which is on record
        # While that is being published: the recorder's mark, and what was done by then.
        self._recording: tuple[int, dict[TopicPartition, int]] | None = None
        self._committed: dict[TopicPartition, int] = {}
        self._next_commit = 0.0
        self._rebalances = 0

    def _parse_config(self) -> dict:
        # A new dict: nameko-kafka would write into the configuration all extensions share.
        config = self.container.config
        return {"group_id": self.container.service_name, **config.get("KAFKA_CONSUMER", {}), **self._config}

    def setup(self) -> None:
        options = self._parse_config()
        ensure_topics(self._topics, options["bootstrap_servers"], self.container.config, self.stopping)
        super().setup()
        read_faster(self._consumer)
        self._consumer.subscribe(topics=self._topics, listener=_BeforeRebalance(self))
        # A slow handler must not cost the membership in the group, nor hold up the others' joining for long.
        self._keep_alive_seconds = min(1.0, self._consumer.config["max_poll_interval_ms"] / 3000)
        health_file = self.container.config.get("HEALTH_FILE")
        self._health_file = Path(health_file) if health_file else None

    def start(self) -> None:
        self._thread = self.container.spawn_managed_thread(self.run, identifier="consumer")

    def stop(self) -> None:
        self.stopping.ask()
        if self._thread is None:
            return
        with Timeout(self.stopping.left, False):
            self._thread.wait()
            return
        log.warning("not everything in hand was finished and committed: the rest will come again")
        self._thread.kill()  # poll() can block without a bound while Kafka is away

    def kill(self) -> None:
        self.stopping.ask()

    def run(self) -> None:
        """Poll, hand over and commit until told to stop; then finish what is in hand."""
        try:
            while not self.stopping.asked:
                self._turn()
            self.finish(STOP_SECONDS)
        finally:
            with Timeout(1, False):  # close() can block without a bound as well
                self._consumer.close(autocommit=False)

    def _turn(self) -> None:
        for batch, offsets in self._poll():
            rebalances = self._rebalances
            delivery = self._handle(batch)
            self.recorder.received(batch)
            if rebalances != self._rebalances:
                offsets = {}  # not ours to commit: others have got these messages as well by now
            self._pending.append(Pending(batch, offsets, delivery))
            self._settle()
        self._settle()
        if time.monotonic() >= self._next_commit:
            self._next_commit = time.monotonic() + COMMIT_SECONDS
            self._record()
            self._commit()
            if self._health_file and self.joined:
                self._health_file.touch()

    def _poll(self) -> list[tuple[Batch, dict[TopicPartition, int]]]:
        """One batch for each topic that has messages, with where its partitions go on after it."""
        started = time.perf_counter()
        polled = self._consumer.poll(timeout_ms=POLL_MS)
        seconds = time.perf_counter() - started
        topics: dict[str, list[Message]] = defaultdict(list)
        offsets: dict[str, dict[TopicPartition, int]] = defaultdict(dict)
        for partition, records in polled.items():
            topics[partition.topic] += records
            offsets[partition.topic][partition] = records[-1].offset + 1
        return [(_batch(topic, records, seconds), offsets[topic]) for topic, records in topics.items()]

    def _handle(self, batch: Batch) -> Delivery | None:
        """What the handler returns; one that raises gets the batch again, for nothing of it may be lost."""
        wait = 1
        while True:
            handled = Event()
            self.container.spawn_worker(self, (batch,), {}, handle_result=partial(_tell, handled))
            self._wait(handled)
            result, failed = handled.wait()
            if not failed:
                return result
            log.error("%d messages of topic %s were not handled; once more in %d s", len(batch), batch.topic, wait)
            self._wait(Event(), wait)
            wait = min(2 * wait, RETRY_SECONDS)

    def _wait(self, event: Event, seconds: float = float("inf")) -> None:
        """Wait for an event, or so many seconds, and stay a member of the group meanwhile."""
        deadline = time.monotonic() + seconds
        paused = set()
        while not event.ready() and (left := deadline - time.monotonic()) > 0:
            with Timeout(min(left, self._keep_alive_seconds), False):
                # Wakes early now and then: eventlet's select() lets go of its greenthread twice, when two sockets of
                # kafka-python's poll() become ready at once. So the loop asks the event itself.
                event.wait()
                continue
            paused |= self._consumer.assignment()
            self._consumer.pause(*self._consumer.assignment())
            # A rebalance in here can bring partitions that are not paused: what comes of these is taken back.
            for partition, records in self._consumer.poll(0).items():
                self._consumer.seek(partition, records[0].offset)
        for partition in paused & self._consumer.assignment():
            # Without this kafka-python 2.0.6 goes on after the last message it had fetched, not after the last one it
            # had returned: what it throws away on pausing would be lost.
            self._consumer.seek(partition, self._consumer.position(partition))
            self._consumer.resume(partition)

    def _settle(self) -> None:
        while self._pending and (self._pending[0].delivery is None or self._pending[0].delivery.settled()):
            batch, offsets, delivery = self._pending.popleft()
            if delivery is not None:
                self.recorder.answered(batch, delivery.refused)
            self._done.update(offsets)

    def _record(self) -> None:
        """Publish what was done, and see what was published before."""
        mark = self.recorder.publish()
        if self._recording and self.recorder.recorded(self._recording[0]):
            self._recorded, self._recording = self._recording[1], None
        if not self._recording and self._done != self._recorded:
            self._recording = mark, dict(self._done)

    def _uncommitted(self) -> dict[TopicPartition, OffsetAndMetadata]:
        return {
            partition: OffsetAndMetadata(offset, "")
            for partition, offset in self._recorded.items()
            if self._committed.get(partition) != offset
        }

    def _commit(self) -> None:
        offsets = self._uncommitted()
        if offsets:
            self._consumer.commit_async(offsets, callback=self._on_commit)

    def _on_commit(self, offsets: dict[TopicPartition, OffsetAndMetadata], response: object) -> None:
        if isinstance(response, Exception):
            log.warning("offsets were not committed, the next commit has them too: %r", response)
        else:
            self._committed.update((partition, offset.offset) for partition, offset in offsets.items())

    def finish(self, seconds: float) -> None:
        """Wait until all that was handed over is done, and commit it, both within the time given."""
        deadline = time.monotonic() + seconds
        with Timeout(seconds, False):
            self._settle()
            while self._pending and (left := deadline - time.monotonic()) > 0:
                self._pending[0].delivery.wait(left)
                self._settle()
            if self.recorder.wait(self.recorder.publish(), deadline - time.monotonic()):
                self._recorded = dict(self._done)
            try:
                self._consumer.commit(self._uncommitted())
                return
            except KafkaError as error:
                log.warning("offsets were not committed, some messages will come again: %r", error)

    def forget(self) -> None:
        """Drop what is known of partitions that others may have from now on."""
        self._rebalances += 1
        self._pending.clear()
        self._done.clear()
        self._recorded, self._recording = {}, None
        self._committed.clear()


class _BeforeRebalance(ConsumerRebalanceListener):
    """Finishes and commits what is in hand before others get the partitions, so that they get it not once more."""

    def __init__(self, entrypoint: BatchConsumer):
        self._entrypoint = entrypoint

    def on_partitions_revoked(self, revoked: set[TopicPartition]) -> None:
        self._entrypoint.joined = False
        self._entrypoint.finish(REBALANCE_SECONDS)
        self._entrypoint.forget()

    def on_partitions_assigned(self, assigned: set[TopicPartition]) -> None:
        self._entrypoint.joined = True
        log.info("assigned: %s", ", ".join(f"{p.topic}/{p.partition}" for p in sorted(assigned)) or "no partition")


def _batch(topic: str, messages: list[Message], poll_seconds: float) -> Batch:
    _, partitions, keys, values = zip(*messages, strict=True)
    return Batch(topic, partitions, keys, values, poll_seconds)


def _tell(handled: Event, worker_ctx, result, exc_info):
    """Nameko's `handle_result`: called in the worker when the handler has returned or raised."""
    handled.send((result, exc_info is not None))
    return result, exc_info


consume = BatchConsumer.decorator
