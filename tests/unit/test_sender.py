"""How a call to send a run is carried out: once per run, put on record, and with an end that the caller can rely on."""

import threading
import uuid

import pytest
from pyroaring import BitMap

from messaging import settings
from messaging.clients.errors import Unavailable
from messaging.delivery.sender import Sender
from messaging.runs.outcome import CallAgain, DeliveryFailed, Figures, RunStopped
from messaging.runs.stamp import unpack
from messaging.stopping import StopRequest
from tests.unit.fakes import Topic

RUN = uuid.uuid4()


class Journal:
    """Takes down what a real one would publish."""

    def __init__(self) -> None:
        self.requests = {}
        self.outcomes: dict[uuid.UUID, str] = {}
        self.reason: str | None = None
        self.failed = 0
        self.numbers: list[int] = []

    def begin(self, request) -> None:
        self.requests[request.run] = request
        self.outcomes[request.run] = "sending"

    def end(self, run, outcome, reason=None, failed=0) -> None:
        self.outcomes[run], self.reason, self.failed = outcome, reason, failed

    def sent(self, run, numbers, size, partition, time_sent) -> None:
        self.numbers += numbers

    def flush(self, seconds) -> bool:
        return True


class Past:
    """What is on record of others."""

    def __init__(self) -> None:
        self.sent: BitMap = BitMap()
        self.stop = False

    def sent_before(self, run) -> BitMap:
        return self.sent

    def stop_asked(self, run) -> bool:
        return self.stop


class Service:
    """A sender with what belongs to it."""

    def __init__(self, topic: Topic, limits=None):
        self.topic = topic
        self.journal = Journal()
        self.past = Past()
        self.stop = StopRequest()
        self.sender = Sender("ping", topic, self.journal, self.past, self.stop, limits or settings.load())

    def send(self, count: int, size: int, run: uuid.UUID | None = RUN, queued: bool = False) -> Figures:
        return self.sender.send_run(count, size, run and str(run), queued)


@pytest.fixture
def service():
    return Service(Topic())


def test_the_figures_are_those_of_the_specification():
    assert Figures(100, 100, 3.14684796333313).as_json() == {
        "num_messages": 100,
        "size": 100,
        "total time": 3.14684796333313,
        "byte rate (MB/s)": pytest.approx(0.0031777830122457),
        "message rate (msg/s)": pytest.approx(31.777830122457),
    }


def test_a_run_is_sent_and_its_figures_returned(service):
    figures = service.send(1234, 5)

    assert (figures.num_messages, figures.size) == (1234, 5)
    assert figures.seconds > 0
    assert len(service.topic.messages) == 1234


def test_a_run_without_an_id_gets_one(service):
    service.send(5, 5, run=None)

    (run,) = service.journal.requests
    assert {unpack(key)[0] for key, _, _ in service.topic.messages} == {run.bytes}


@pytest.mark.parametrize(
    ("count", "size", "complaint"),
    [(0, 1, "num_messages"), (-1, 1, "num_messages"), (1_000_001, 1, "num_messages"), ("10", 1, "num_messages"),
     (True, 1, "num_messages"), (1, -1, "size"), (1, 1_000_001, "size"), (1, 1.5, "size"), (1, None, "size")],
)  # fmt: skip
def test_numbers_out_of_range_are_refused(service, count, size, complaint):
    with pytest.raises(ValueError, match=complaint):
        service.send(count, size)
    assert service.topic.messages == []


def test_all_that_was_acknowledged_is_recorded(service):
    service.send(1234, 5)

    assert service.journal.numbers == list(range(1234))
    assert service.journal.outcomes[RUN] == "sent"
    request = service.journal.requests[RUN]
    assert (request.service, request.num_messages) == ("ping", 1234)


def test_a_failure_is_told_and_recorded_with_what_was_acknowledged():
    service = Service(Topic(error=Unavailable("OSError('gone')")))
    with pytest.raises(DeliveryFailed, match="Kafka acknowledged 0 of 5 messages, then: OSError"):
        service.send(5, 5)

    assert service.journal.outcomes[RUN] == "failed"
    assert "OSError" in service.journal.reason
    assert (service.journal.failed, service.journal.numbers) == (5, [])


def test_a_run_that_finds_no_room_has_failed():
    service = Service(Topic(full="nothing was acknowledged"))
    with pytest.raises(DeliveryFailed, match=r"0 of 5 messages, then: .*nothing was acknowledged"):
        service.send(5, 5)
    assert service.journal.outcomes[RUN] == "failed"


def test_a_run_that_finds_no_partitions_has_failed():
    service = Service(Topic(partitions=DeliveryFailed("no metadata")))
    with pytest.raises(DeliveryFailed, match="no metadata"):
        service.send(5, 5)
    assert service.journal.outcomes[RUN] == "failed"


def test_what_another_instance_has_sent_is_not_sent_again(service):
    service.past.sent = BitMap([*range(500), 700])
    service.send(1000, 5)

    assert [unpack(key)[1] for key, _, _ in service.topic.messages] == [*range(500, 700), *range(701, 1000)]
    assert service.journal.outcomes[RUN] == "sent"


def test_a_service_that_stops_ends_its_runs(service):
    service.stop.ask()
    with pytest.raises(RunStopped, match="0 of 1000 messages were sent"):
        service.send(1000, 10)
    assert service.journal.outcomes[RUN] == "failed"


def test_a_queued_run_goes_on_elsewhere_when_the_service_stops(service):
    service.stop.ask()
    with pytest.raises(CallAgain):
        service.send(1000, 10, queued=True)
    assert service.journal.outcomes[RUN] == "sending"


def test_a_user_can_stop_a_run(service):
    service.past.stop = True
    with pytest.raises(RunStopped, match="0 of 1000 messages were sent"):
        service.send(1000, 10, queued=True)
    assert service.journal.outcomes[RUN] == "stopped"


class Gate(Topic):
    """Takes messages only once it is opened."""

    def __init__(self) -> None:
        super().__init__()
        self.reached = threading.Event()
        self.opened = threading.Event()

    def send(self, keys, values, partitions):
        self.reached.set()
        self.opened.wait(10)
        return super().send(keys, values, partitions)


class Limits:
    """Tells when a second call has passed the check of its numbers."""

    max_messages = max_size = 1000

    def __init__(self) -> None:
        self.checks = 0
        self.second = threading.Event()

    @property
    def max_bytes(self) -> int:
        self.checks += 1
        if self.checks == 2:
            self.second.set()
        return 10**6


def test_a_call_that_is_delivered_again_meanwhile_ends_as_the_first_one_does():
    # Given a run that is being sent
    gate, limits = Gate(), Limits()
    service = Service(gate, limits)
    ends: list[Figures] = []
    first, second = (threading.Thread(target=lambda: ends.append(service.send(100, 5))) for _ in range(2))
    first.start()
    assert gate.reached.wait(10)

    # When RabbitMQ delivers its call a second time
    second.start()
    assert limits.second.wait(10)
    gate.opened.set()
    first.join(10)
    second.join(10)

    # Then it was sent once, and both calls have the same figures
    assert len(gate.messages) == 100
    assert len(ends) == 2
    assert ends[0] == ends[1]
