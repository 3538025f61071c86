"""The result of each message of a producer is counted once, however often its delivery is checked."""

import pytest

from messaging.clients.errors import Aborted, Refused, TooLarge, Unavailable
from messaging.delivery.metering import Meter, MeteredProducer, MeteredTransactions
from tests.unit.fakes import Delivery


class Producer:
    def __init__(self) -> None:
        self.deliveries: list[Delivery] = []
        self.error: Exception | None = None
        self.sent_again = {"pong": 7}
        self.asked: list[object] = []

    def partitions(self, topic: str) -> int:
        return 4

    def flush(self, seconds: float) -> bool:
        self.asked.append(f"flush in {seconds} s")
        return True

    def close(self, seconds: float) -> None:
        self.asked.append(f"close in {seconds} s")

    def send(self, topic, keys, values, partitions) -> Delivery:
        if self.error:
            raise self.error
        self.deliveries.append(Delivery(len(keys)))
        return self.deliveries[-1]


@pytest.fixture
def producer():
    return Producer()


@pytest.fixture
def meter():
    return Meter()


@pytest.fixture
def send(producer, meter):
    """Sends this many messages. Returns the metered delivery and the delivery itself."""
    metered = MeteredProducer(producer, meter)

    def send(count: int, topic: str = "pong"):
        seen = metered.send(topic, [b"k"] * count, [b"v"] * count, [0] * count)
        return seen, producer.deliveries[-1]

    return send


def test_acknowledged_messages_are_counted_once(send, meter):
    seen, delivery = send(3)
    assert not seen.done
    assert not seen.wait(0)
    assert meter.acknowledged == {}

    delivery.acknowledge()
    assert seen.done
    assert seen.wait(0)
    assert list(seen.acknowledged) == [True] * 3
    assert seen.acknowledged_at == delivery.acknowledged_at
    assert meter.acknowledged == {"pong": 3}


def test_failed_messages_are_counted_by_reason(send, meter):
    seen, delivery = send(6)
    for index, error in enumerate([TooLarge("a"), Refused("b"), Unavailable("c"), Unavailable("d")]):
        delivery.fail(error, index)
    delivery.acknowledge(4, 5)

    assert seen.wait(1)
    assert set(seen.failures) == {0, 1, 2, 3}
    assert meter.acknowledged == {"pong": 2}
    assert meter.failed == {("pong", "too_large"): 1, ("pong", "refused"): 1, ("pong", "unavailable"): 2}


def test_messages_count_as_failed_if_the_producer_does_not_accept_them(producer, send, meter):
    producer.error = Unavailable("gone")
    with pytest.raises(Unavailable):
        send(5)

    assert meter.failed == {("pong", "unavailable"): 5}


def test_each_topic_is_counted_separately(send, meter):
    for topic, count in ("ping", 1), ("pong", 2):
        seen, delivery = send(count, topic)
        delivery.acknowledge()
        assert seen.done

    assert meter.acknowledged == {"ping": 1, "pong": 2}


def test_all_other_calls_go_to_the_producer_itself(producer, meter):
    metered = MeteredProducer(producer, meter)

    assert metered.partitions("pong") == 4
    assert metered.flush(1)
    metered.close(2)
    assert producer.asked == ["flush in 1 s", "close in 2 s"]
    assert metered.sent_again == {"pong": 7}


class Transactions:
    """A transactional producer. If there is an `error`, commits raise it."""

    def __init__(self) -> None:
        self.error: Exception | None = None

    def start(self, seconds: float) -> None: ...
    def begin(self) -> None: ...
    def close(self, seconds: float) -> None: ...
    def abort(self, seconds: float) -> None: ...
    def send(self, topic, keys, values, partitions, seconds) -> None: ...

    def partitions(self, topic: str) -> int:
        return 4

    def commit(self, seconds, offsets=None, membership=None) -> None:
        if self.error:
            raise self.error


def test_messages_count_as_acknowledged_after_a_commit_and_as_sent_again_after_an_abort(meter):
    # Given a producer that sends messages to a counted topic, and to another one
    producer = Transactions()
    metered = MeteredTransactions(producer, meter)
    meter.begin("ping")

    def send(count: int) -> None:
        metered.begin()
        metered.send("ping", [b"k"] * count, [b"v"] * count, [0] * count, 1)
        metered.send("run-states", [b"k"], [b"v"], [0], 1)

    # When the first transaction is committed, and the second one is aborted
    send(3)
    assert meter.acknowledged["ping"] == 0
    metered.commit(1)
    send(5)
    producer.error = Aborted("not a member any more")
    with pytest.raises(Aborted):
        metered.commit(1)
    metered.abort(1)

    # Then only the messages of the first one count as acknowledged
    assert meter.acknowledged == {"ping": 3}
    assert meter.sent_again == {"ping": 5}
    assert meter.failed.total() == 0


def test_all_messages_of_a_refused_transaction_have_failed(meter):
    producer = Transactions()
    metered = MeteredTransactions(producer, meter)
    meter.begin("ping")
    metered.begin()
    metered.send("ping", [b"k"] * 3, [b"v"] * 3, [0] * 3, 1)
    metered.send("run-states", [b"k"], [b"v"], [0], 1)

    producer.error = TooLarge("a message is too large")
    with pytest.raises(TooLarge):
        metered.commit(1)

    assert +meter.failed == {("ping", "too_large"): 3}
