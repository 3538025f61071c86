"""The entrypoint's loop with handlers that are slow, that raise, or that send faster than Kafka acknowledges."""

import pytest

from messaging.clients.errors import Unavailable
from messaging.extensions import consumer as consumer_module
from tests.unit.fakes import Answers
from tests.unit.service import P0, Consumer, Service, fetched

LARGE = 400_000
"""At most ten messages of this size may be under way."""


class SettledWhenWaitedFor(Answers):
    """Answers that Kafka acknowledges while somebody waits for them."""

    def wait(self, seconds: float) -> bool:
        self.done = True
        return super().wait(seconds)


def test_during_a_slow_handler_the_consumer_stays_a_member_and_gets_no_messages():
    # Given a handler that takes much longer than the group allows between two polls
    service = Service(Consumer(fetched(range(10)), fetched(range(10, 20))), seconds=0.2)

    # When it works on a batch
    service.entrypoint.turn()

    # Then the consumer polled all the time, but no message came because it was paused
    assert service.consumer.polled_while_paused > 3
    assert service.handled == [10]
    assert service.consumer.events == ["pause", "resume"]

    # And the handler gets the next batch after that
    service.entrypoint.turn()
    assert service.handled == [10, 10]


def test_the_consumer_stays_a_member_while_it_waits_for_a_worker():
    service = Service(Consumer(fetched(range(10))))
    pool = service.entrypoint.container._worker_pool
    pool.free = lambda: int(service.consumer.polled_while_paused > 3)
    service.turn(2)

    assert service.handled == [10]
    assert service.consumer.events[:2] == ["pause", "resume"]


def test_the_consumer_is_not_paused_for_a_fast_handler():
    service = Service(Consumer(fetched(range(10))))
    service.turn(2)

    assert service.consumer.events == []


def test_a_slow_handler_finishes_even_if_kafka_does_not_answer_meanwhile():
    service = Service(Consumer(fetched(range(10))), seconds=0.2)
    service.consumer.comes(Unavailable("gone"))
    service.turn(2)

    assert service.handled == [10]
    assert service.consumer.confirmed == {P0: 10}


@pytest.fixture
def impatient(monkeypatch):
    """A handler that raises gets its batch again soon."""
    monkeypatch.setattr(consumer_module, "FIRST_RETRY_SECONDS", 0.05)
    monkeypatch.setattr(consumer_module, "RETRY_SECONDS", 0.1)


@pytest.mark.usefixtures("impatient")
def test_a_handler_that_raises_gets_the_same_batch_again_until_it_returns(caplog):
    # Given a handler that raises three times
    outcomes = iter([RuntimeError("first"), RuntimeError("second"), RuntimeError("third"), None])
    batches = []

    def handler(batch):
        batches.append(batch)
        outcome = next(outcomes)
        if outcome is not None:
            raise outcome

    service = Service(Consumer(fetched(range(10)), fetched(range(10, 15))), handler)

    # When it gets a batch
    service.turn()

    # Then it gets only this batch until it returns, with pauses that grow to a limit
    assert service.handled == [10] * 4
    assert all(batch is batches[0] for batch in batches)
    again = [message.rpartition("trying again in ")[2] for message in caplog.messages]
    assert again == ["0.05 s", "0.1 s", "0.1 s"]
    assert service.consumer.polled_while_paused > 3

    # And the batch is recorded and committed only one time
    assert service.consumer.committed == [{P0: 10}]
    assert list(map(len, service.journal.received_batches)) == [10]


def test_a_batch_waits_until_earlier_answers_leave_room():
    # Given answers that fill the room
    first = Answers()
    in_turn = iter([first, None])
    service = Service(Consumer(fetched(range(10), size=LARGE)), lambda batch: next(in_turn))
    service.turn()

    # When the next batch comes, and the answers are acknowledged only after some polls
    polls = service.consumer.poll
    service.consumer.comes(fetched(range(10, 20), size=LARGE))

    def poll(seconds):
        first.done = service.consumer.polled_while_paused >= 3
        return polls(seconds)

    service.consumer.poll = poll
    service.turn()

    # Then the consumer was paused and stayed a member, and the batch was handled when there was room
    assert service.consumer.polled_while_paused >= 3
    assert service.handled == [10, 10]
    assert service.consumer.events == ["pause", "resume"]


def test_the_consumer_is_not_paused_if_a_waiting_batch_gets_room_soon():
    in_turn = iter([SettledWhenWaitedFor(), None])
    service = Service(
        Consumer(fetched(range(10), size=LARGE), fetched(range(10, 20), size=LARGE)), lambda batch: next(in_turn)
    )
    service.turn(2)

    assert service.handled == [10, 10]
    assert service.consumer.events == []


def test_a_batch_larger_than_the_room_is_handled_alone():
    service = Service(Consumer(fetched(range(100), size=LARGE)), lambda batch: Answers())
    service.turn()

    assert service.handled == [100]


def test_batches_without_answers_need_no_room():
    service = Service(Consumer(*(fetched(range(10 * n, 10 * n + 10), size=LARGE) for n in range(5))))
    service.turn(5)

    assert service.handled == [10] * 5
    assert service.consumer.events == []
