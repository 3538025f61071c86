"""An instance that sends runs, without brokers. `steps` has its actions in order."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from uuid import UUID

from pyroaring import BitMap

from messaging import settings
from messaging.delivery.calls import Call
from messaging.delivery.journal import Journal
from messaging.delivery.sender import Sender as RunSender
from messaging.journal.past import Past
from messaging.journal.requests import CLAIM, RequestRecord, Standing
from messaging.journal.states import Sender, State
from messaging.runs.outcome import Figures
from messaging.runs.stamp import unpack
from messaging.stopping import StopRequest
from tests.unit.api_fakes import RUN, asked, seen
from tests.unit.fakes import Clock, Delivery, Topic, WallClock

Steps = list[str]


def nothing(*arguments: object) -> None:
    pass


class Writer:
    """Notes what a real writer would publish. A flush puts everything on record, unless the writer is `stuck`."""

    process = "host:1/a"

    def __init__(self, steps: Steps, clock: Clock):
        self.requests = {}
        self.start: int | None = None
        self.outcomes: dict[UUID, str] = {}
        self.reason: str | None = None
        self.failed = BitMap()
        self.numbers: list[int] = []
        self.recorded = 0
        self.stuck = False
        self._steps = steps
        self._clock = clock

    @property
    def unrecorded(self) -> int:
        return len(self.numbers) - self.recorded

    def begin(self, request, claim, start=None) -> None:
        self._steps.append("begin")
        self.requests[request.run] = request
        self.start = start
        self.outcomes[request.run] = "sending"

    def end(self, run, outcome, reason=None, failed=None, seconds=None) -> None:
        self._steps.append(outcome)
        self.outcomes[run], self.reason, self.failed = outcome, reason, failed

    def sent(self, run, block) -> None:
        self.numbers += block.numbers

    def keep_up(self, run, most) -> bool:
        return self.unrecorded <= most

    def flush(self, seconds, run=None) -> bool:
        self._clock.advance(seconds if self.stuck else 0)
        if not self.stuck:
            self.recorded = len(self.numbers)
        return not self.stuck


class Requests:
    """Notes claims. Kafka acknowledges each one, unless `claim_fails`."""

    def __init__(self, steps: Steps):
        self.claim_fails: Exception | None = None
        self.claims: list[str] = []
        self._steps = steps

    def claim(self, request, writer) -> Delivery:
        self._steps.append("claim")
        self.claims.append(writer)
        delivery = Delivery(1)
        if self.claim_fails:
            delivery.fail(self.claim_fails)
        else:
            delivery.acknowledge()
        return delivery


class Claims:
    """The records that arrive while a run is sent. Each `catch_up` calls `comes`, which may add some."""

    def __init__(self, steps: Steps, clock: Clock):
        self.standings: dict[UUID, Standing] = {}
        self.ended: set[UUID] = set()
        self.reads = True
        self.comes: Callable[[], None] = nothing
        self._steps = steps
        self._clock = clock

    @contextmanager
    def watched(self, run: UUID) -> Iterator[Standing]:
        self.standings[run] = Standing()
        yield self.standings[run]

    def claim(self, claim: str, run: UUID = RUN) -> None:
        """Record another claim to a run."""
        self.standings[run].apply(RequestRecord(run, CLAIM, claim))

    def is_ended(self, run: UUID) -> bool:
        return run in self.ended

    def wait_until_reading(self, seconds: float) -> bool:
        return self.reads

    def wait_for_claim(self, standing: Standing, claim: str, seconds: float) -> bool:
        if self.reads:
            self._steps.append("read back")
            standing.apply(RequestRecord(RUN, CLAIM, claim))
        return self.reads

    def catch_up(self, seconds: float) -> bool:
        self._steps.append("catch up")
        self._clock.advance(0 if self.reads else seconds)
        self.comes()
        return self.reads


class PastReader:
    """Reads the records of other instances. Each read calls `on_read`."""

    def __init__(self, steps: Steps):
        self.past = Past()
        self.on_read: Callable[[], None] = nothing
        self.error: Exception | None = None
        self.seconds: list[float] = []
        """The timeout of each read."""
        self._steps = steps

    def read(self, run: UUID, created: int, seconds: float) -> Past:
        self._steps.append("past")
        self.seconds.append(seconds)
        self.on_read()
        if self.error:
            raise self.error
        return self.past


class Out(Topic):
    """Takes messages. Calls `on_send` after each block."""

    def __init__(self, steps: Steps, **options):
        super().__init__(**options)
        self.on_send: Callable[[], None] = nothing
        self._steps = steps

    def send(self, keys, values, partitions) -> Delivery:
        self._steps.append("send")
        delivery = super().send(keys, values, partitions)
        self.on_send()
        return delivery


class Instance:
    def __init__(self, **topic):
        self.steps: Steps = []
        self.clock = Clock()
        self.topic = Out(self.steps, **topic)
        self.writer = Writer(self.steps, self.clock)
        self.requests = Requests(self.steps)
        self.claims = Claims(self.steps, self.clock)
        self.past = PastReader(self.steps)
        self.stop = StopRequest()
        journal = Journal(self.writer, self.requests, self.claims, self.past)
        self.wall_clock = WallClock()
        self.sender = RunSender("ping", self.topic, journal, self.stop, settings.load(), self.clock, self.wall_clock)

    def send(
        self, count=1000, size=5, run: UUID | None = RUN, queued=False, created=None, redelivered=False, rate=None
    ) -> Figures:
        return self.sender.send_run(Call(count, size, run and str(run), queued, created, redelivered, rate))


KNOWN = {"created": 1}
"""Arguments of a call whose run the API has put on record. Perhaps another instance has begun this run."""
AGAIN = {"redelivered": True}
"""A call that RabbitMQ has delivered before."""


def numbers(instance: Instance) -> list[int]:
    """The numbers of the messages that were sent."""
    return [unpack(key)[1] for key, _, _ in instance.topic.messages]


def sent(numbers, outcome: str, claim: str = "host:2/b.1", reason=None, seconds=None) -> State:
    """The state that another instance has put on record."""
    return State(seen(numbers), Sender(asked("ping", 1000, 5, run=RUN), claim, outcome, reason, seconds))


def claimed(*claims: str) -> Standing:
    standing = Standing()
    for claim in claims:
        standing.apply(RequestRecord(RUN, CLAIM, claim))
    return standing
