"""Receiving from Kafka: nameko-kafka's entrypoint, changed to pass on whole batches and to commit only finished ones.

Only one greenthread uses the consumer: it polls, commits and closes. The handler runs in a worker, as in any nameko
service, and gets one batch at a time. If it returns `Answers`, the batch is done once Kafka has stored or refused them.
`messaging.delivery` decides when a batch is done, and how its offsets are committed.
"""

import logging
import time
from collections.abc import Callable, Sequence
from functools import partial
from itertools import chain
from typing import Any, NamedTuple, cast

import nameko_kafka
from eventlet import Timeout
from eventlet.event import Event

from messaging.clients.errors import Transactional, Unavailable
from messaging.clients.protocols import Client, Fetched, Given
from messaging.clients.protocols import Topic as NewTopic
from messaging.clients.transactions import TransactionalClient
from messaging.delivery.at_least_once import AtLeastOnce
from messaging.delivery.exactly_once.receiving import KAFKA_SECONDS, Clients, ExactlyOnce
from messaging.delivery.metering import MeteredTransactions
from messaging.delivery.outbox import cost_of
from messaging.delivery.receiving import Receiving
from messaging.extensions.journal import RunJournal
from messaging.extensions.metrics import ServiceMetrics
from messaging.extensions.slots import take_slot
from messaging.extensions.starting import connected
from messaging.extensions.stopping import Stopping, settings_of
from messaging.extensions.topics import TopicProducer
from messaging.journal.counts import Counts, keys_of
from messaging.journal.states import EXACTLY_ONCE, RUN_STATES
from messaging.runs.batch import Batch
from messaging.stopping import STOP_SECONDS

log = logging.getLogger(__name__)

POLL_SECONDS = 0.1
WORKER_SECONDS = 0.1
POLL_RETRY_SECONDS = 1
COMMIT_SECONDS = 0.2
FIRST_RETRY_SECONDS = 1
RETRY_SECONDS = 30
"""If a handler raises, it gets its batch again after a pause.

The pause grows from FIRST_RETRY_SECONDS to RETRY_SECONDS."""


class Result(NamedTuple):
    answers: Any
    failed: bool


class BatchConsumer(nameko_kafka.KafkaConsumer):
    """After each poll, calls the decorated method with one `Batch` for each topic, or with smaller parts of it.

    Options are kafka-python's. They override KAFKA_CONSUMER in the configuration. By default, the group is the
    service's name, so all instances of a service share its topics. A handler that raises gets the same batch again.
    """

    stopping = Stopping()
    journal = RunJournal()
    metrics = ServiceMetrics()

    def __init__(self, *topics: str, **options: Any):
        super().__init__(*topics, **options)
        # nameko-kafka's own copy leaves out options that are false. Options that kafka-python lacks are for nameko.
        self.options = {name: value for name, value in options.items() if name in self._consumer_cls.DEFAULT_CONFIG}
        self._thread: Any = None
        self._slot: str | None = None
        self._joined = False  # True for a member of the group, even without partitions
        self._kafka_answers = False  # True if the last poll raised no error
        self._next_commit = 0.0
        self._idle_until = 0.0  # when the last poll without messages returned

    @property
    def group(self) -> str:
        """Option `group_id`, or the name of the service."""
        return str(self.options.get("group_id") or self.container.service_name)

    def setup(self) -> None:
        settings = settings_of(self.container)
        partitions, replicas = settings.topic_partitions, settings.replication_factor
        topics = [NewTopic(name, partitions, replicas) for name in self._topics]
        make = self._exactly_once if settings.delivery == EXACTLY_ONCE else self._at_least_once
        self.prepare(connected(self.container, topics, make, self.stopping))

    def _at_least_once(self, client: Client) -> Receiving:
        consumer = client.consumer(self.group, self._topics, **self.options)
        return AtLeastOnce(consumer, self.journal.opened().writer, self.stopping, self.changed)

    def _exactly_once(self, client: Client) -> Receiving:
        client = cast(TransactionalClient, client)
        self._slot = self._slot or take_slot(self.group)
        answered = {each.topic_name for each in self.container.dependencies if isinstance(each, TopicProducer)}
        topics = {*answered, RUN_STATES}
        slot, meter, writer = self._slot, self.metrics.meter, self.journal.opened().writer

        def connect() -> Clients:
            producer = MeteredTransactions(client.transactional_producer(slot, topics), meter)
            try:
                producer.start(KAFKA_SECONDS)  # before the consumer joins: aborts a killed instance's transaction
                return Clients(producer, client.consumer(self.group, self._topics, **self.options))
            except BaseException:
                producer.close(0)
                raise

        counts = Counts(self.group, keys_of(f"{writer.process}.received"), writer.partitions)
        return ExactlyOnce(connect, counts, self.changed)

    def prepare(self, receiving: Receiving, clock: Callable[[], float] = time.monotonic) -> None:
        """Set the source of messages, and the clock that times the commits."""
        self._receiving = receiving
        self._clock = clock
        self._health_file = settings_of(self.container).health_file

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
        self._thread.kill()  # a poll may never return while Kafka does not answer

    def kill(self) -> None:
        self.stopping.ask()

    def run(self) -> None:
        """Poll, call the handler and commit until the service must stop. Then finish the work in hand."""
        try:
            while not self.stopping.asked:
                self.turn()
            self._receiving.finish(STOP_SECONDS)
        finally:
            try:
                self._receiving.close()
            except Unavailable as error:
                log.warning("the consumer did not leave its group: %s", error)

    def turn(self) -> None:
        """Poll once, let the handler work on the messages, and commit if it is time."""
        fetched = self._poll(POLL_SECONDS)
        if not fetched:
            self._idle_until = time.perf_counter()
        epoch = self._receiving.epoch
        for part in chain.from_iterable(map(self._receiving.parts, fetched)):
            self._work_on(part, epoch)
        self._receiving.advance()
        if self._clock() >= self._next_commit:
            self._next_commit = self._clock() + COMMIT_SECONDS
            self._receiving.commit()
            if self._health_file and self._joined and self._kafka_answers:
                self._health_file.touch()

    def _poll(self, seconds: float) -> Sequence[Fetched]:
        self._kafka_answers = False
        try:
            fetched = self._receiving.poll(seconds)
            self._kafka_answers = True
            return fetched
        except Transactional as error:
            log.critical("%s", error)
            raise SystemExit(1) from None
        except Unavailable as error:
            log.warning("cannot read from Kafka, trying again: %s", error)
            time.sleep(POLL_RETRY_SECONDS)
            return ()

    def _work_on(self, fetched: Fetched, epoch: int) -> None:
        columns = fetched.partitions, fetched.keys, fetched.values
        batch = Batch(fetched.topic, *columns, fetched.seconds, idle_until=self._idle_until)
        cost = cost_of(batch.keys, batch.values)
        self._stay_until(partial(self._receiving.has_room, cost))
        if epoch != self._receiving.epoch:
            return  # meanwhile the epoch has changed: these messages come again, here or at another instance
        answers = self._handle(batch)
        self._receiving.handled(fetched, batch, answers, epoch)

    def _handle(self, batch: Batch) -> Any:
        """Return the handler's result. A handler that raises gets the batch again, because no message may be lost."""
        pause: float = FIRST_RETRY_SECONDS
        while True:
            self._stay_until(self._has_worker)
            handled: Event = Event()
            self.container.spawn_worker(self, (batch,), {}, handle_result=partial(_tell, handled))
            self._stay_until(partial(_wait, handled))
            result: Result = handled.wait()
            if not result.failed:
                return result.answers
            text = f"{len(batch)} messages of topic {batch.topic} were not handled, trying again in {pause:g} s"
            log.error(text, extra={"topic": batch.topic})
            over = time.monotonic() + pause
            self._stay_until(lambda seconds, over=over: _sleep_until(over, seconds))
            pause = min(2 * pause, RETRY_SECONDS)

    def _has_worker(self, seconds: float) -> bool:
        """Return True if nameko has a free worker. `spawn_worker` would wait for one without a limit."""
        pool = self.container._worker_pool
        if not pool.free():
            time.sleep(min(seconds, WORKER_SECONDS))
        return bool(pool.free())

    def _stay_until(self, happens: Any) -> None:
        """Call `happens` until it returns True, and stay a member of the group meanwhile.

        `happens` gets the longest time that it may wait, in seconds.
        """
        paused = False
        while not happens(self._receiving.keep_alive_seconds):
            if not paused:
                self._receiving.pause()
                paused = True
            self._poll(0)
        if paused:
            self._receiving.resume()

    def changed(self, given: Given | None) -> None:
        """Note if this instance is in the group. `given` is None if the instance loses partitions or its consumer."""
        self._joined = given is not None
        if given is not None:
            names = ", ".join(f"{partition.topic}/{partition.number}" for partition in sorted(given.partitions))
            log.info("assigned: %s", names or "no partition")


def _wait(event: Event, seconds: float) -> bool:
    with Timeout(seconds, False):
        event.wait()  # may return too early, see `in_a_thread`. So ask the event if it is ready.
    return bool(event.ready())


def _sleep_until(time_: float, seconds: float) -> bool:
    time.sleep(max(0.0, min(seconds, time_ - time.monotonic())))
    return time.monotonic() >= time_


def _tell(handled: Event, worker_ctx: Any, result: Any, exc_info: Any) -> tuple[Any, Any]:
    """Implements nameko's `handle_result`. The worker calls it when the handler has returned or raised."""
    handled.send(Result(result, exc_info is not None))
    return result, exc_info


consume = BatchConsumer.decorator
