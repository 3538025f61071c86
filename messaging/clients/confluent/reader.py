"""Reading partitions with librdkafka, without a group."""

import time
from collections.abc import Mapping, Sequence

from confluent_kafka import OFFSET_BEGINNING, OFFSET_END, Consumer, KafkaError, Message, TopicPartition

from messaging.clients.confluent.errors import translated
from messaging.clients.confluent.messages import ask_if_answering, columns, end_of, take, without_events
from messaging.clients.confluent.partitions import theirs
from messaging.clients.errors import Unavailable
from messaging.clients.protocols import Partition, Polled, Waiting

ANSWER_SECONDS = 5


class ConfluentReader:
    """Belongs to one thread. Polls return committed messages only, because `options.py` sets `isolation.level`.

    But `ends` are high watermarks: uncommitted messages of an open transaction may lie before them.
    """

    def __init__(self, options: Mapping[str, object], waiting: Waiting):
        options = dict(options)
        self._waiting = waiting
        self._most = int(str(options.pop("max_poll_records")))
        self._options = options
        self._positions: dict[Partition, int] = {}
        self._groups: dict[str, Consumer] = {}
        self._is_down = False
        with translated():
            # An EOF event tells how far the consumer has read, even if it has read only transaction markers.
            self._consumer = Consumer({**options, "enable.partition.eof": True, "error_cb": self._on_error})
            self._asking = Consumer({**options, "isolation.level": "read_uncommitted"})
            try:
                waiting(lambda: self._asking.list_topics(timeout=ANSWER_SECONDS))
            except BaseException:
                self.close()  # otherwise sockets and threads stay until the garbage collector runs
                raise

    def assign(self, offsets: Mapping[Partition, int]) -> None:
        self._positions = dict(offsets)
        with translated():
            self._consumer.assign(theirs(offsets))

    def poll(self, seconds: float) -> Polled:
        started = time.perf_counter()
        messages = take(self._consumer, self._most, seconds, self._waiting)
        fetched = columns(without_events(messages, self._on_event), time.perf_counter() - started)
        for each in fetched:
            for partition, offset in each.next_offsets.items():
                self._advance(partition, offset)
        if self._is_down and not fetched:
            self._is_down = False
            ask_if_answering(self._consumer, self._waiting)
        return Polled(fetched)

    def position(self, partition: Partition) -> int:
        try:
            return self._positions[partition]
        except KeyError:
            raise Unavailable(f"{partition} is not assigned") from None

    def partitions(self, topic: str) -> list[Partition]:
        with translated():
            metadata = self._waiting(lambda: self._asking.list_topics(topic, ANSWER_SECONDS)).topics[topic]
        if metadata.error and metadata.error.code() not in (
            KafkaError.UNKNOWN_TOPIC_OR_PART,
            KafkaError._UNKNOWN_TOPIC,
        ):
            raise Unavailable(metadata.error.str())
        return [Partition(topic, number) for number in sorted(metadata.partitions)]

    def beginnings(self, partitions: Sequence[Partition]) -> dict[Partition, int]:
        return self._offsets(partitions, OFFSET_BEGINNING)

    def ends(self, partitions: Sequence[Partition]) -> dict[Partition, int]:
        return self._offsets(partitions, OFFSET_END)

    def offsets_at(self, partitions: Sequence[Partition], milliseconds: int) -> dict[Partition, int]:
        found = self._offsets(partitions, milliseconds)
        late = [partition for partition, offset in found.items() if offset < 0]
        return found | (self.ends(late) if late else {})

    def _offsets(self, partitions: Sequence[Partition], at: int) -> dict[Partition, int]:
        """Return the offsets at a time in milliseconds, at OFFSET_BEGINNING or at OFFSET_END."""
        if not partitions:
            return {}
        asked = theirs(dict.fromkeys(partitions, at))
        with translated():
            found = self._waiting(lambda: self._asking.offsets_for_times(asked, ANSWER_SECONDS))
        return {Partition(each.topic, each.partition): _offset(each) for each in found}

    def committed(self, group: str, partitions: Sequence[Partition]) -> dict[Partition, int]:
        asked = theirs(dict.fromkeys(partitions, 0))
        with translated():
            if group not in self._groups:
                # With another isolation level, Kafka would not respond while a killed member's transaction is open.
                options = {**self._options, "group.id": group, "isolation.level": "read_uncommitted"}
                self._groups[group] = Consumer(options)
            found = self._waiting(lambda: self._groups[group].committed(asked, ANSWER_SECONDS))
        return {Partition(each.topic, each.partition): max(0, _offset(each)) for each in found}

    def close(self) -> None:
        for consumer in (self._consumer, self._asking, *self._groups.values()):
            self._waiting(consumer.close)

    def _advance(self, partition: Partition, offset: int) -> None:
        self._positions[partition] = max(offset, self._positions.get(partition, 0))

    def _on_event(self, error: KafkaError, message: Message) -> None:
        if error.code() == KafkaError._PARTITION_EOF:
            for partition, offset in end_of(message).items():
                if partition in self._positions:  # otherwise the event is from an earlier assignment
                    self._advance(partition, offset)
        else:
            self._on_error(error)

    def _on_error(self, error: KafkaError) -> None:
        if error.code() == KafkaError._ALL_BROKERS_DOWN:
            self._is_down = True


def _offset(partition: TopicPartition) -> int:
    if partition.error:
        raise Unavailable(partition.error.str())
    return partition.offset
