"""Transactions with librdkafka."""

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from functools import partial
from typing import Any

from confluent_kafka import KafkaError, KafkaException, Message, Producer

from messaging.clients.confluent.errors import ERRORS, cause_of, translate, translated
from messaging.clients.confluent.limits import TopicLimits, patiently
from messaging.clients.confluent.partitions import theirs
from messaging.clients.confluent.producer import AT_ONCE, MOST_QUEUED, by_partition, messages_at, partitions_of
from messaging.clients.errors import Aborted, ClientError, Fenced, OutcomeUnknown, Refused, Unavailable
from messaging.clients.protocols import Partition, Waiting
from messaging.clients.transactions import Membership

ROOM_SLEEP = 0.001

GRACE_SECONDS = 1
"""How long a call may exceed its timeout, in seconds. Some calls ignore the timeout (librdkafka's issue 5456)."""

TRANSACTIONS: Mapping[str, object] = {
    "delivery.report.only.error": True,
    "transaction.timeout.ms": 10_000,
}


class ConfluentTransactionalProducer:
    """Belongs to one thread or greenthread."""

    def __init__(self, transactional_id: str, options: Mapping[str, object], limits: TopicLimits, waiting: Waiting):
        made = {**options, **TRANSACTIONS, "transactional.id": transactional_id, "error_cb": lambda error: None}
        # Without message.timeout.ms, librdkafka uses transaction.timeout.ms. It refuses a longer message.timeout.ms.
        made.pop("message.timeout.ms", None)
        self._limits = limits
        self._waiting = waiting
        self._outgrown: str | None = None
        """A topic whose limit was lowered, so that this producer's batches are too large for it."""
        self._failure: KafkaError | None = None
        """The error of the first message that has failed in this transaction."""
        self._has_reports = False
        """True if librdkafka has reported a failed message in this transaction."""
        self._is_open = False
        with translated():
            self._producer = Producer(made)

    def start(self, seconds: float) -> None:
        with _translated(Unavailable):
            self._waiting(lambda: self._producer.init_transactions(seconds), seconds + GRACE_SECONDS)

    def partitions(self, topic: str) -> int:
        return patiently(lambda: partitions_of(self._producer, topic, self._waiting))

    def begin(self) -> None:
        self._failure = None
        self._has_reports = False
        with _translated(Unavailable):
            self._producer.begin_transaction()
        self._is_open = True

    def send(
        self,
        topic: str,
        keys: Sequence[bytes | None],
        values: Sequence[bytes | None],
        partitions: Sequence[int],
        seconds: float,
    ) -> None:
        deadline = time.monotonic() + seconds
        for number, indices in by_partition(partitions).items():
            for start in range(0, len(indices), AT_ONCE):
                messages = messages_at(indices[start : start + AT_ONCE], keys, values)
                self._hand_over(topic, number, messages, deadline)

    def _hand_over(self, topic: str, number: int, messages: list[dict[str, Any]], deadline: float) -> None:
        """Hand over messages of one partition, in their order. Wait until the queue has room for all of them."""
        while messages:
            room = MOST_QUEUED - len(self._producer)
            with _translated(Unavailable):
                self._producer.poll(0)
                if room > 0:
                    self._producer.produce_batch(topic, messages[:room], number, self._note)
            messages = [*self._rejected(messages[: max(0, room)]), *messages[max(0, room) :]]
            if messages:
                if time.monotonic() > deadline:
                    raise Unavailable("there is no room for more messages in the queue")
                time.sleep(ROOM_SLEEP)

    def _rejected(self, messages: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
        """Return the messages that found the queue full, so that they can be handed over later.

        If librdkafka or Kafka refuses a message for good, `commit` raises Refused later. Any other error is raised
        here, as Aborted or Fenced.
        """
        again = []
        for message in messages:
            error = message.pop("_error", None)
            if error is None:
                continue
            if error.code() == KafkaError._QUEUE_FULL:
                again.append(message)
            elif isinstance(translate(error), Refused):
                self._failure = self._failure or error  # as if Kafka had refused the message
            elif not self._is_refused():
                raise _error_for(error, Aborted)
        return again

    def _is_refused(self) -> bool:
        """Return True if Kafka has refused an earlier message. librdkafka then takes no more, and hides the reason."""
        with _translated(Aborted):
            self._producer.poll(0)
        return self._failure is not None and isinstance(translate(self._failure), Refused)

    def commit(
        self,
        seconds: float,
        offsets: Mapping[Partition, int] | None = None,
        membership: Membership | None = None,
    ) -> None:
        deadline = time.monotonic() + seconds
        self._await_reports(deadline)
        if offsets:
            with _translated(Aborted):
                self._retry(deadline, lambda left: self._send_offsets(offsets, membership, left))
        with _translated(OutcomeUnknown):
            self._finish(self._producer.commit_transaction, deadline)
        self._is_open = False

    def _await_reports(self, deadline: float) -> None:
        """Wait until Kafka has acknowledged all messages. Raises Refused, Aborted, Fenced, OutcomeUnknown."""
        while True:
            with _translated(Aborted):
                self._producer.poll(0)
            if self._outgrown:
                raise OutcomeUnknown(f"topic {self._outgrown} takes smaller batches than before")
            if self._failure:
                failure = translate(self._failure)
                raise failure if isinstance(failure, Refused) else _error_for(self._failure, Aborted)
            if not len(self._producer):
                return
            if time.monotonic() > deadline:
                raise Aborted("Kafka has not acknowledged all messages in time")
            time.sleep(ROOM_SLEEP)

    def _send_offsets(self, offsets: Mapping[Partition, int], membership: Membership | None, seconds: float) -> None:
        self._producer.send_offsets_to_transaction(theirs(offsets), membership, seconds)

    def _retry(self, deadline: float, call: Callable[[float], None]) -> None:
        """Repeat a call until it succeeds, while librdkafka allows that and the deadline has not passed."""
        while True:
            try:
                return self._finish(call, deadline)
            except KafkaException as error:
                cause = cause_of(error)
                if not cause or not cause.retriable() or time.monotonic() > deadline:
                    raise
                time.sleep(ROOM_SLEEP)

    def _finish(self, call: Callable[[float], None], deadline: float) -> None:
        """Make a call with a timeout. Raises OutcomeUnknown if the call ignores it. Then only `close` may follow."""
        left = max(0.1, deadline - time.monotonic())
        try:
            self._waiting(partial(call, left), left + GRACE_SECONDS)
        except Unavailable as error:
            raise OutcomeUnknown(str(error)) from error

    def abort(self, seconds: float) -> None:
        deadline = time.monotonic() + seconds
        with _translated(OutcomeUnknown):
            # librdkafka aborts only after its caller has fetched all reports. If Kafka has refused a message,
            # librdkafka puts other messages back into its queue. So each pass fetches reports and empties the queue.
            # If no message has failed, skip this loop: `abort_transaction` empties the queue itself, and a purge here
            # would spoil the sequence numbers.
            while (self._producer.poll(0) or len(self._producer)) and self._has_reports:
                self._producer.purge(in_flight=False)
                if time.monotonic() > deadline:
                    raise OutcomeUnknown("Kafka has not acknowledged the messages under way in time")
                time.sleep(ROOM_SLEEP)
            self._finish(self._producer.abort_transaction, deadline)
        self._failure = None
        self._is_open = False

    def close(self, seconds: float) -> None:
        """Abort an open transaction, so that readers do not wait for it. Give up after `seconds`."""
        if self._is_open:
            with suppress(ClientError):
                self.abort(seconds)
        self._is_open = False
        # librdkafka's own `close` would wait for Kafka forever. Deleting the producer frees its memory too.
        self._waiting(self._forget)

    def _forget(self) -> None:
        with suppress(AttributeError):  # it was closed before
            del self._producer

    def _note(self, error: KafkaError | None, message: Message) -> None:
        """Note that a message has failed. librdkafka calls this for failed messages only."""
        self._failure = self._failure or error
        self._has_reports = True
        if error and self._limits.is_outgrown(message.topic(), error, message.key(), message.value()):
            self._outgrown = message.topic()


def _error_for(error: KafkaError, otherwise: type[ClientError]) -> ClientError:
    """Return our error for an error of librdkafka.

    After a fatal error, the producer no longer owns the transaction, so return Fenced. If the transaction must be
    aborted, return Aborted. In all other cases, return an error of class `otherwise`.
    """
    if error.fatal() or error.code() in (KafkaError._FENCED, KafkaError._FATAL, KafkaError.PRODUCER_FENCED):
        return Fenced(error.str())
    return (Aborted if error.txn_requires_abort() else otherwise)(error.str())


@contextmanager
def _translated(otherwise: type[ClientError]) -> Iterator[None]:
    """Raise our errors instead of librdkafka's: `otherwise`, unless the error requires Fenced or Aborted."""
    try:
        yield
    except ERRORS as error:
        cause = cause_of(error)
        raise (_error_for(cause, otherwise) if cause else otherwise(repr(error))) from error
