"""The commits of the entrypoint's loop: their times and offsets. The test controls the consumer and the answers."""

from messaging.clients.errors import Unavailable
from messaging.clients.protocols import Given, Polled, Taken
from messaging.extensions.consumer import COMMIT_SECONDS
from tests.unit.fakes import Answers
from tests.unit.service import P0, P1, Consumer, Service, fetched


def test_a_batch_is_committed_when_its_answers_are_settled_and_not_before():
    answers = Answers()
    service = Service(Consumer(fetched(range(10))), lambda batch: answers)

    service.turn(2)
    assert service.consumer.committed == []
    answers.done = True
    service.turn(3)
    assert service.consumer.committed == [{P0: 10}]
    assert service.journal.answers == [(10, [])]
    assert list(map(len, service.journal.received_batches)) == [10]


def test_a_batch_is_not_committed_before_it_is_on_record():
    service = Service(Consumer(fetched(range(10))))
    service.journal.holds_back = True

    service.turn(3)
    assert service.consumer.committed == []
    service.journal.holds_back = False
    service.turn()
    assert service.consumer.committed == [{P0: 10}]


def test_a_later_batch_is_handled_but_not_committed_before_an_earlier_one_is_done():
    first, second = Answers(), Answers()
    in_turn = iter([first, second])
    service = Service(Consumer(fetched(range(10)), fetched(range(10, 25))), lambda batch: next(in_turn))

    service.turn(2)
    assert service.handled == [10, 15]
    second.done = True
    service.turn()
    assert service.consumer.committed == []
    first.done = True
    service.turn(2)
    assert service.consumer.committed == [{P0: 25}]


def test_a_batch_without_answers_is_committed_once_its_handler_has_returned():
    service = Service(Consumer(fetched(range(10))))
    service.turn(2)

    assert service.consumer.committed == [{P0: 10}]
    assert service.journal.answers == []


def test_each_topic_of_a_poll_is_a_batch():
    service = Service(Consumer(Polled([*fetched(range(10)).fetched, *fetched(range(5), partition=P1).fetched])))
    service.turn()

    assert service.handled == [10, 5]
    assert service.consumer.committed == [{P0: 10, P1: 5}]


def test_there_is_at_most_one_commit_per_commit_interval():
    service = Service(Consumer(fetched(range(10)), fetched(range(10, 20)), fetched(range(20, 30))))
    service.turn()
    for _ in range(5):
        service.entrypoint.turn()
    assert service.handled == [10, 10, 10]
    assert service.consumer.committed == [{P0: 10}]

    service.clock.advance(COMMIT_SECONDS)
    service.entrypoint.turn()
    assert service.consumer.committed == [{P0: 10}, {P0: 30}]


def test_a_failed_commit_is_repeated():
    service = Service(Consumer(fetched(range(10))))
    service.consumer.refusals = 1
    service.turn(4)

    assert service.consumer.committed == [{P0: 10}, {P0: 10}]


def test_only_a_member_of_its_group_touches_the_health_file(tmp_path):
    # Given a service that has not joined its group yet
    file = tmp_path / "healthy"
    service = Service(Consumer(), health_file=file)
    service.turn(2)
    assert not file.exists()

    # When it joins, even without a partition
    service.consumer.comes(Polled(changes=[Given(frozenset())]))
    service.turn()
    # Then it is healthy
    assert file.exists()

    # When the group takes its partitions away
    service.consumer.comes(Polled(changes=[Taken(frozenset({P0}))]))
    service.turn()
    file.unlink()
    service.turn(2)
    # Then it is unhealthy until it has joined again
    assert not file.exists()


def test_the_health_file_is_not_touched_while_kafka_does_not_answer(tmp_path, monkeypatch):
    monkeypatch.setattr("messaging.extensions.consumer.POLL_RETRY_SECONDS", 0.01)
    file = tmp_path / "healthy"
    service = Service(Consumer(Polled(changes=[Given(frozenset({P0}))])), health_file=file)
    service.turn()
    file.unlink()

    service.consumer.comes(Unavailable("gone"))
    service.turn()
    assert not file.exists()

    service.turn()
    assert file.exists()


def test_the_service_does_not_end_if_kafka_does_not_answer(monkeypatch, caplog):
    monkeypatch.setattr("messaging.extensions.consumer.POLL_RETRY_SECONDS", 0.01)
    # Given a Kafka that does not answer two of the polls
    service = Service(Consumer(fetched(range(10)), Unavailable("gone"), Unavailable("gone"), fetched(range(10, 15))))

    # When the service continues to poll
    service.turn(4)

    # Then it handles the next messages as soon as Kafka is back
    assert service.handled == [10, 5]
    assert service.consumer.confirmed == {P0: 15}
    assert caplog.text.count("cannot read from Kafka, trying again: gone") == 2


def test_a_service_that_is_told_to_stop_finishes_its_work_and_commits_it():
    # Given answers under way
    class AcknowledgedWhenAwaited(Answers):
        def wait(self, seconds: float) -> bool:
            self.done = True
            return super().wait(seconds)

    service = Service(Consumer(fetched(range(10))), lambda batch: AcknowledgedWhenAwaited())
    service.turn()
    assert service.consumer.events == []

    # When the service is told to stop, and Kafka acknowledges the answers while the service waits for them
    service.stop.ask()
    service.entrypoint.run()

    # Then the batch is committed before the consumer leaves its group
    assert service.consumer.events == ["commit", "close"]
    assert service.consumer.confirmed == {P0: 10}


def test_a_service_stops_without_an_error_even_if_kafka_is_away(caplog):
    service = Service(Consumer(fetched(range(10))))
    service.turn()
    service.consumer.comes(fetched(range(10, 15)))
    service.entrypoint.turn()
    service.consumer.commits_fail = service.consumer.close_fails = True
    service.stop.ask()
    service.entrypoint.run()

    assert "some messages will come again: gone" in caplog.text
    assert "did not leave its group: gone" in caplog.text


def test_the_end_of_a_partition_is_committed_only_when_the_messages_before_it_are_done():
    answers = Answers()
    service = Service(Consumer(fetched(range(10)), Polled(reached={P0: 12})), lambda batch: answers)
    service.turn(3)
    assert service.consumer.committed == []

    answers.done = True
    service.turn(2)
    assert service.consumer.committed[-1] == {P0: 12}
