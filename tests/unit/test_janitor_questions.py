"""The janitor asks Kafka how far a group is behind, and RabbitMQ which services have waiting calls."""

from types import SimpleNamespace

from api.metrics.rabbitmq import RabbitLook, waiting_calls
from api.rpc.connection import Queue
from api.runs.janitor import Lag
from messaging.clients.errors import Unavailable
from messaging.clients.protocols import Partition

PARTITIONS = Partition("ping", 0), Partition("ping", 1)


def lag_of(committed, ends=(10, 10), beginnings=(0, 0), partitions=PARTITIONS) -> int:
    reader = SimpleNamespace(
        partitions=lambda topic: partitions,
        committed=lambda group, asked: dict(zip(asked, committed, strict=True)),
        ends=lambda asked: dict(zip(asked, ends, strict=True)),
        beginnings=lambda asked: dict(zip(asked, beginnings, strict=True)),
    )
    return Lag(SimpleNamespace(reader=lambda: reader))("ping")


def test_the_lag_is_the_number_of_messages_that_the_group_has_not_committed():
    assert lag_of([10, 10]) == 0
    assert lag_of([10, 7]) == 3
    assert lag_of([0, 0]) == 20


def test_deleted_messages_do_not_count():
    assert lag_of([0, 10], beginnings=(10, 4)) == 0


def test_an_unknown_lag_is_not_zero():
    def away():
        raise Unavailable("gone")

    assert Lag(SimpleNamespace(reader=away))("ping") > 0
    assert lag_of([], ends=[], beginnings=[], partitions=()) > 0


def test_only_services_with_waiting_calls_are_returned():
    assert waiting_calls(lambda: RabbitLook(0, {"ping": Queue(0, 1), "pong": Queue(2, 0)})) == ["pong"]


def test_all_services_are_returned_if_rabbitmq_does_not_answer():
    def away():
        raise OSError("gone")

    assert waiting_calls(away) == ("ping", "pong")
