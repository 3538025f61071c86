"""Processes of the simulation: greenlets that run the real code step by step. A test can kill them at any step."""

from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from itertools import chain, count
from types import SimpleNamespace
from uuid import UUID

from greenlet import GreenletExit, greenlet

from messaging.clients.errors import Fenced
from messaging.delivery.answers import Columns, PlannedAnswers
from messaging.delivery.calls import Call
from messaging.delivery.exactly_once.receiving import Clients, ExactlyOnce
from messaging.delivery.exactly_once.sender import TransactionalSender
from messaging.delivery.journal import Journal
from messaging.journal.counts import Counts, keys_of
from messaging.journal.past import PastReader
from messaging.journal.requests import CLAIM, PARTITION, RequestRecord, Standing, decode
from messaging.runs.batch import Batch
from messaging.runs.outcome import CallAgain, DeliveryFailed, Figures, Superseded
from messaging.stopping import StopRequest
from tests.unit.fakes import Delivery
from tests.unit.simulation.clients import Consumer, Producer, Reader
from tests.unit.simulation.kafka import Kafka

NAMES = count(1)
SUPERSEDED_STEPS = 20
"""If another sender has taken over the run of a call, the call goes back into the queue after this many steps."""

LIMITS = SimpleNamespace(max_messages=10**6, max_size=10**6, max_bytes=10**9)


class Actor:
    """One process. `step` lets it run until its next `pause`, usually before a call to Kafka. Then it is frozen."""

    def __init__(self, kafka: Kafka):
        self.kafka = kafka
        self.name = f"host:{next(NAMES)}/a"
        self.is_dead = False
        self._greenlet = greenlet(self._run)
        self._parent: greenlet | None = None

    def step(self) -> None:
        if not self.is_dead:
            self._greenlet.parent = greenlet.getcurrent()
            self._greenlet.switch()

    def kill(self) -> None:
        self.is_dead = True
        self._greenlet.parent = greenlet.getcurrent()
        self._greenlet.throw()

    def pause(self) -> None:
        """Let others run. A dead process does nothing more, not even in a `finally` block."""
        if not self.is_dead:
            self._greenlet.parent.switch()
        if self.is_dead:
            raise GreenletExit

    def _run(self) -> None:
        try:
            self.work()
        except Fenced:  # the process ends by itself if it is fenced twice in a row
            self.is_dead = True

    def work(self) -> None:
        raise NotImplementedError


class Receiver(Actor):
    """An instance that receives messages. Pong answers them, ping does not."""

    def __init__(self, kafka: Kafka, service: str, slot: int, producer: type[Producer] = Producer):
        super().__init__(kafka)
        self.service = service
        self.slot = slot
        self._make = producer
        self._members = count(1)

    def work(self) -> None:
        counts = Counts(self.service, keys_of(self.name), 1, self.kafka.clock)
        receiving = ExactlyOnce(self._connect, counts, lambda change: None, self.kafka.clock)
        while True:
            fetched = receiving.poll(0)
            epoch = receiving.epoch
            for part in chain.from_iterable(map(receiving.parts, fetched)):
                if epoch != receiving.epoch:
                    break
                batch = Batch(part.topic, part.partitions, part.keys, part.values, part.seconds)
                columns = Columns(batch.keys, batch.values, batch.partitions)
                self.pause()  # other processes may run while the handler works
                answers = PlannedAnswers("ping", columns) if self.service == "pong" else None
                receiving.handled(part, batch, answers, epoch)
            receiving.advance()

    @property
    def transactional_id(self) -> str:
        return f"{self.service}-{self.slot}"

    def _connect(self) -> Clients:
        producer = self._make(self.kafka, self.pause, self.transactional_id)
        producer.start(1)
        member = f"{self.name}.{next(self._members)}"
        return Clients(producer, Consumer(self.kafka, self.pause, self.service, member))


class Claims:
    """The claims and stop requests in the journal. A sender sees new ones only after `learn` or `catch_up`."""

    def __init__(self, kafka: Kafka, step: Callable[[], None]):
        self._kafka = kafka
        self._step = step
        self._read = 0
        self._standings: dict[UUID, Standing] = {}

    @contextmanager
    def watched(self, run: UUID) -> Iterator[Standing]:
        self._standings[run] = Standing()
        yield self._standings[run]

    def learn(self) -> None:
        log = self._kafka.logs[PARTITION]
        for offset, entry in list(enumerate(log))[self._read :]:
            record = decode(entry.key, entry.value, offset)
            if record.run in self._standings:
                self._standings[record.run].apply(record)
        self._read = len(log)

    def catch_up(self, seconds: float) -> bool:
        self._step()
        self.learn()
        return True


@dataclass
class Message:
    """A call, in RabbitMQ's queue or at a sender. It has `figures` once the run is sent."""

    call: Call
    figures: Figures | None = None


@dataclass
class Queue:
    waiting: deque[Message]
    answered: list[Message] = field(default_factory=list)
    failed: list[str] = field(default_factory=list)


class Sender(Actor):
    """An instance that carries out calls."""

    def __init__(self, kafka: Kafka, queue: Queue, producer: type[Producer] = Producer):
        super().__init__(kafka)
        self.queue = queue
        self.message: Message | None = None
        """The call that this instance carries out. RabbitMQ puts it back into the queue if the connection is lost."""
        self.claims = Claims(kafka, self.pause)
        self.stop = StopRequest()
        self._make = producer

    def work(self) -> None:
        requests = SimpleNamespace(claim=self._claim)
        writer = SimpleNamespace(process=self.name)
        journal = Journal(writer, requests, self.claims, PastReader(SimpleNamespace(reader=self._reader), self.stop))
        arguments = "ping", "pong", self._connect, journal, self.stop, LIMITS, self.kafka.clock
        sender = TransactionalSender(*arguments)
        while True:
            self.pause()
            if not self.queue.waiting:
                continue
            message = self.message = self.queue.waiting.popleft()
            try:
                message.figures = sender.send_run(message.call)
            except CallAgain:
                self._give_away(message)
            except Superseded:
                self._give_away(message, SUPERSEDED_STEPS)
            except DeliveryFailed as error:
                self.queue.failed.append(str(error))
            else:
                self.queue.answered.append(message)
            self.message = None

    def _give_away(self, message: Message, steps: int = 0) -> None:
        for _ in range(steps):
            self.pause()
        if self.message is message:
            self.requeue()

    def requeue(self) -> None:
        """Put the call back into the queue, as RabbitMQ does after a lost connection. This instance continues."""
        message, self.message = self.message, None
        if message:
            self.queue.waiting.append(message)

    def kill(self) -> None:
        super().kill()
        self.requeue()

    def _connect(self, run: UUID) -> Producer:
        return self._make(self.kafka, self.pause, f"ping-{run}")

    def _reader(self) -> Reader:
        return Reader(self.kafka, self.pause)

    def _claim(self, request, writer: str) -> Delivery:
        self.pause()
        record = RequestRecord(request.run, CLAIM, writer, request)
        self.kafka.write(PARTITION, record.key, record.value)
        delivery = Delivery(1)
        delivery.acknowledge()
        return delivery
