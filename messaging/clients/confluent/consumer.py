"""A member of a consumer group with librdkafka. It returns rebalances as data."""

import time
from collections import deque
from collections.abc import Mapping, Sequence
from contextlib import suppress
from functools import partial

from confluent_kafka import Consumer, KafkaError, KafkaException, Message, TopicPartition

from messaging.clients.confirmed import Confirmed
from messaging.clients.confluent.errors import translated
from messaging.clients.confluent.messages import ask_if_answering, columns, end_of, take, without_events
from messaging.clients.confluent.partitions import ours, theirs
from messaging.clients.errors import ClientError, Unavailable
from messaging.clients.protocols import Given, Partition, Polled, Taken, Waiting
from messaging.clients.transactions import Membership

CONNECT_SECONDS = 3
CLOSE_SECONDS = 1
COMMIT_SLEEP = 0.002


class ConfluentConsumer:
    """Belongs to one greenthread. librdkafka calls its callbacks inside `consume`, `poll` and `close`."""

    def __init__(self, topics: Sequence[str], options: Mapping[str, object], waiting: Waiting):
        options = dict(options)
        self._waiting = waiting
        self._most = int(str(options.pop("max_poll_records")))
        self.keep_alive_seconds = min(1.0, int(str(options["max.poll.interval.ms"])) / 3000)
        self._changes: list[Taken | Given] = []
        self._is_paused = False
        self._owes_unassign = False
        self._is_closing = False
        self._confirmed = Confirmed()
        self._asked: deque[tuple[int, Mapping[Partition, int]]] = deque()
        self._commit_errors: list[KafkaError] = []
        self._is_down = False
        self._next: dict[Partition, int] = {}
        """The next offset of each partition after its last poll."""
        callbacks = {"on_commit": self._on_commit, "error_cb": self._on_error}
        with translated():
            # Transaction markers are not messages. Only an EOF event shows that a partition ends after a marker.
            self._consumer = Consumer({**options, **callbacks, "enable.partition.eof": True})
            try:
                waiting(lambda: self._consumer.list_topics(timeout=CONNECT_SECONDS))
            except BaseException:
                waiting(self._consumer.close)  # otherwise its sockets and threads stay until the garbage collector runs
                raise
            self._consumer.subscribe(
                list(topics), on_assign=self._on_assign, on_revoke=self._on_revoke, on_lost=self._on_revoke
            )

    def poll(self, seconds: float) -> Polled:
        self._unassign()
        started = time.perf_counter()
        messages = take(self._consumer, self._most, seconds, self._waiting)
        took = time.perf_counter() - started
        reached: dict[Partition, int] = {}
        messages = without_events(messages, partial(self._on_event, reached))
        changes, self._changes = self._changes, []
        if changes:
            self._confirmed.forget()
            self._next.clear()
        if self._owes_unassign:
            messages, reached = [], {}  # the group takes these partitions away, and their next owner gets the messages
        elif self._is_paused:
            self._put_back(messages)
            messages, reached = [], {}
        self._log_commit_errors()
        if self._is_down and not messages and not changes and not reached:
            self._is_down = False
            ask_if_answering(self._consumer, self._waiting)
        fetched = columns(messages, took)
        for each in fetched:
            self._next.update(each.next_offsets)
        return Polled(fetched, changes, self._beyond(reached))

    def _beyond(self, reached: Mapping[Partition, int]) -> Mapping[Partition, int]:
        """Return the ends that do not directly follow the last returned message of their partition."""
        beyond = {partition: offset for partition, offset in reached.items() if self._next.get(partition) != offset}
        self._next.update(beyond)
        return beyond

    def pause(self) -> None:
        self._is_paused = True
        with translated():
            self._consumer.pause(self._consumer.assignment())

    def resume(self) -> None:
        if self._is_paused:
            self._is_paused = False
            with translated():
                self._consumer.resume(self._consumer.assignment())

    def seek(self, partition: Partition, offset: int) -> None:
        self._next.pop(partition, None)  # so that a poll reports this partition's end again
        with translated():
            self._consumer.seek(TopicPartition(*partition, offset))

    def commit(self, offsets: Mapping[Partition, int], seconds: float) -> None:
        """Commit, and poll for Kafka's response. librdkafka's own wait has no timeout, and blocks all greenthreads."""
        deadline = time.monotonic() + seconds
        was_paused = self._is_paused
        self._log_commit_errors()
        self.pause()  # the loop below must call `consume`, and must not get messages
        try:
            with translated():
                self._begin_commit(offsets)
                while self._asked and time.monotonic() < deadline:
                    self._put_back(without_events(self._consumer.consume(self._most, 0), partial(self._on_event, {})))
                    time.sleep(COMMIT_SLEEP)
        finally:
            if not was_paused:
                self.resume()
        if self._asked:
            raise Unavailable(f"Kafka did not confirm a commit within {seconds} s")
        if self._commit_errors:
            raise Unavailable(self._commit_errors.pop().str())

    def commit_soon(self, offsets: Mapping[Partition, int]) -> None:
        try:
            with translated():
                self._begin_commit(offsets)
        except ClientError as error:
            self._confirmed.refused(str(error))

    def _begin_commit(self, offsets: Mapping[Partition, int]) -> None:
        asked = self._confirmed.next_commit(), dict(offsets)
        self._consumer.commit(offsets=theirs(offsets), asynchronous=True)
        self._asked.append(asked)

    @property
    def confirmed(self) -> Mapping[Partition, int]:
        return self._confirmed.offsets

    @property
    def membership(self) -> Membership:
        with translated():
            return Membership(self._consumer.consumer_group_metadata())

    def close(self) -> None:
        self._is_closing = True
        with translated(), suppress(RuntimeError):  # `unassign` raises it if the consumer is closed already
            if self._owes_unassign:  # without `unassign`, `close` would wait forever
                self._consumer.unassign()
            self._waiting(self._consumer.close, CLOSE_SECONDS)

    def _put_back(self, messages: list[Message]) -> None:
        """Seek back to messages that arrived in spite of a pause. A later poll returns them."""
        first: dict[tuple[str | None, int | None], Message] = {}
        for message in messages:
            first.setdefault((message.topic(), message.partition()), message)
        with translated():
            for (topic, number), message in first.items():
                self._consumer.seek(TopicPartition(str(topic), number or 0, message.offset() or 0))

    def _unassign(self) -> None:
        """Give back the partitions that the group takes away. `_on_revoke` has left this to the next poll."""
        if self._owes_unassign:
            self._owes_unassign = False
            with translated():
                self._consumer.unassign()

    def _on_assign(self, consumer: Consumer, partitions: list[TopicPartition]) -> None:
        consumer.assign(partitions)
        if self._is_paused:
            consumer.pause(partitions)
        self._changes.append(Given(ours(partitions)))

    def _on_revoke(self, consumer: Consumer, partitions: list[TopicPartition]) -> None:
        """Give the partitions back at the next poll, not now, so that the caller can finish and commit first.

        Without the call of `incremental_assign`, the client would give them back when this method returns. The call
        has no other effect, because librdkafka refuses it for the assignors range and roundrobin.
        """
        if self._is_closing:
            return
        with suppress(KafkaException):
            consumer.incremental_assign([])
        self._owes_unassign = True
        if partitions:
            self._changes.append(Taken(ours(partitions)))

    def _on_commit(self, error: KafkaError | None, partitions: list[TopicPartition]) -> None:
        """Note the outcome of the oldest commit. librdkafka reports commits in order."""
        number, offsets = self._asked.popleft()
        failed = {Partition(each.topic, each.partition): each.error for each in partitions if each.error}
        if error:
            self._commit_errors.append(error)
        else:
            self._commit_errors += failed.values()
            self._confirmed.add(number, {p: offset for p, offset in offsets.items() if p not in failed})

    def _on_error(self, error: KafkaError) -> None:
        if error.code() == KafkaError._ALL_BROKERS_DOWN:
            self._is_down = True

    def _on_event(self, reached: dict[Partition, int], error: KafkaError, message: Message) -> None:
        if error.code() == KafkaError._PARTITION_EOF:
            [(partition, offset)] = end_of(message).items()
            reached[partition] = offset
        else:
            self._on_error(error)

    def _log_commit_errors(self) -> None:
        """Log the first error that callbacks have noted. Callbacks must not log."""
        errors, self._commit_errors = self._commit_errors, []
        if errors:
            self._confirmed.refused(errors[0].str())
