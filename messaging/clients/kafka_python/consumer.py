"""A member of a consumer group with kafka-python. It returns rebalances as data."""

from collections.abc import Mapping, Sequence
from typing import Any

from kafka import ConsumerRebalanceListener, KafkaConsumer, TopicPartition
from kafka.errors import KafkaError

from messaging.clients.confirmed import Confirmed
from messaging.clients.kafka_python.errors import translated
from messaging.clients.kafka_python.partitions import theirs, with_metadata
from messaging.clients.kafka_python.quiet import stop_measuring
from messaging.clients.kafka_python.reader import fetch
from messaging.clients.kafka_python.records import read_faster
from messaging.clients.protocols import Given, Partition, Polled, Taken, Waiting

CLOSE_SECONDS = 1


class _Interrupted(BaseException):
    """Leaves kafka-python's poll when the group takes partitions away. poll catches every Exception, but not this."""


class _Listener(ConsumerRebalanceListener):
    """Turns kafka-python's callbacks into data.

    kafka-python calls `on_partitions_revoked` inside poll. When this callback returns, kafka-python gives the
    partitions back to the group. So the first call raises an exception to leave the poll. Our consumer's caller can
    then finish its work and commit. The next poll calls the callback a second time, and then the callback returns.
    """

    def __init__(self) -> None:
        self.changes: list[Taken | Given] = []
        self._told = False

    def on_partitions_revoked(self, revoked: set[TopicPartition]) -> None:
        if revoked and not self._told:
            self._told = True
            self.changes.append(Taken(frozenset(Partition(*partition) for partition in revoked)))
            raise _Interrupted

    def on_partitions_assigned(self, assigned: set[TopicPartition]) -> None:
        self._told = False
        self.changes.append(Given(frozenset(Partition(*partition) for partition in assigned)))


class KafkaPythonConsumer:
    """Belongs to one greenthread."""

    def __init__(self, topics: Sequence[str], options: Mapping[str, Any], waiting: Waiting):
        self._waiting = waiting
        self._listener = _Listener()
        self._paused: set[TopicPartition] | None = None
        self._confirmed = Confirmed()
        with translated():
            self._consumer = KafkaConsumer(**options)
        _rewind_after_errors(self._consumer)
        read_faster(self._consumer)
        stop_measuring(self._consumer)
        self._consumer.subscribe(topics=topics, listener=self._listener)
        # Even while a handler is slow, this consumer must stay a member, and must not delay others that join.
        self.keep_alive_seconds = min(1.0, self._consumer.config["max_poll_interval_ms"] / 3000)

    def poll(self, seconds: float) -> Polled:
        try:
            fetched = fetch(self._consumer, seconds, self._waiting)
        except _Interrupted:
            # A change of the metadata may cause a rebalance. If the metadata changes back before the next poll,
            # kafka-python sees no need to rejoin. Then it would keep the partitions and call no callback.
            self._consumer._coordinator.request_rejoin()
            fetched = []
        changes, self._listener.changes = self._listener.changes, []
        if changes:
            self._confirmed.forget()
        if self._paused is not None:
            # A rebalance may have brought partitions that are not paused: seek back to the first of their messages.
            for messages in fetched:
                for partition in messages.next_offsets:
                    first = messages.offsets[messages.partitions.index(partition.number)]
                    self._consumer.seek(theirs(partition), first)
            fetched = []
            self.pause()
        return Polled(fetched, changes)

    def pause(self) -> None:
        assignment = self._consumer.assignment()
        self._paused = (self._paused or set()) | assignment
        self._consumer.pause(*assignment)

    def resume(self) -> None:
        for partition in (self._paused or set()) & self._consumer.assignment():
            # Without this seek, kafka-python 2.0.6 continues after the last message that it has fetched, not after the
            # last one that it has returned. The messages that it drops on pausing would be lost.
            position = self._consumer._subscription.assignment[partition].position
            if position is not None:  # None before the first fetch: there is nothing to go back to
                self._consumer.seek(partition, position)
            self._consumer.resume(partition)
        self._paused = None

    def seek(self, partition: Partition, offset: int) -> None:
        self._consumer.seek(theirs(partition), offset)

    def commit(self, offsets: Mapping[Partition, int], seconds: float) -> None:
        number = self._confirmed.next_commit()
        with translated():
            self._waiting(lambda: self._consumer.commit(with_metadata(offsets)), seconds)
        self._confirmed.add(number, offsets)

    def commit_soon(self, offsets: Mapping[Partition, int]) -> None:
        number, offsets = self._confirmed.next_commit(), dict(offsets)

        def on_commit(_: object, response: object) -> None:
            if isinstance(response, Exception):
                self._confirmed.refused(repr(response))
            else:
                self._confirmed.add(number, offsets)

        try:
            self._consumer.commit_async(with_metadata(offsets), callback=on_commit)
        except (KafkaError, OSError) as error:
            on_commit(None, error)

    @property
    def confirmed(self) -> Mapping[Partition, int]:
        return self._confirmed.offsets

    def close(self) -> None:
        with translated():
            self._waiting(lambda: self._consumer.close(autocommit=False), CLOSE_SECONDS)


def _rewind_after_errors(consumer: KafkaConsumer) -> None:
    """If a poll raises an error, restore the positions of all partitions. A later poll then returns their messages.

    A poll of kafka-python 2.0.6 takes messages of one partition after the other, and moves their positions. An error in
    one partition then drops the messages that the poll has taken from others. A later commit would skip them.
    """
    poll_once, fetched_records = consumer._poll_once, consumer._fetcher.fetched_records
    before: dict[TopicPartition, int] = {}

    def remembering(*args: Any, **options: Any) -> Any:
        states = consumer._subscription.assignment
        before.update((partition, state.position) for partition, state in states.items() if state.has_valid_position)
        return fetched_records(*args, **options)

    def rewinding(*args: Any, **options: Any) -> Any:
        before.clear()
        try:
            return poll_once(*args, **options)
        except BaseException:
            for partition, position in before.items():
                consumer.seek(partition, position)
            raise

    consumer._fetcher.fetched_records = remembering
    consumer._poll_once = rewinding
