"""Calls over RabbitMQ: how many run at once, and how each one ends. The tests need no RabbitMQ and no workers."""

import time
from importlib import import_module
from types import SimpleNamespace

import nameko.rpc
import pytest

from messaging.extensions.queue import CALLS_AT_ONCE, QueueConsumer
from messaging.extensions.rpc import REDELIVERED, Rpc, RpcConsumer
from messaging.runs.outcome import CallAgain, DeliveryFailed, Superseded
from messaging.stopping import StopRequest


class Message:
    """A call that RabbitMQ has delivered."""

    def __init__(self, number: int = 0, method: str = "send", redelivered: bool = False):
        self.number = number
        self.delivery_info = {"routing_key": f"ping.{method}", "redelivered": redelivered}
        self.headers: dict[str, str] = {}
        self.channel = SimpleNamespace(connection=True)
        self.fate: list[str] = []
        """Contains "acknowledged" or "put back" once the service has done this with the call."""

    def ack(self) -> None:
        self.fate.append("acknowledged")

    def requeue(self) -> None:
        self.fate.append("put back")


class Service:
    """The calls of a service. Each runs until the test ends it."""

    def __init__(self) -> None:
        self.running: dict[int, object] = {}
        self.redelivered: dict[int, bool] = {}
        self.replies: list[object] = []
        self.stop = StopRequest()
        container = SimpleNamespace(
            service_name="ping", service_cls=type(self), config={"AMQP_URI": ""}, spawn_worker=self._spawn_worker
        )
        self.queue = QueueConsumer()
        self.consumer = RpcConsumer()
        self.entrypoint = Rpc()
        self.entrypoint.method_name = "send"
        for extension in self.queue, self.consumer, self.entrypoint:
            extension.container = container
            extension.stopping = self.stop
        self.consumer.queue_consumer = self.queue
        self.entrypoint.rpc_consumer = self.consumer
        self.consumer.register_provider(self.entrypoint)
        container.spawn_managed_thread = lambda run, identifier: run()
        self.queue.register_provider(self.consumer)

    def send(self, number: int) -> None:
        pass

    def deliver(self, *messages: Message) -> None:
        for message in messages:
            self.queue.handle_message(self.consumer, {"args": [message.number], "kwargs": {}}, message)

    def end(self, number: int, result: object = None, error: Exception | None = None) -> None:
        """Let a call return, or raise."""
        handle_result = self.running.pop(number)
        handle_result(None, result, error and (type(error), error, None))

    def reconnect(self) -> None:
        """Connect again after the connection was lost."""
        self.queue.on_consume_ready(None, None, None)

    def _spawn_worker(self, entrypoint, args, kwargs, context_data, handle_result) -> None:
        self.running[args[0]] = handle_result
        self.redelivered[args[0]] = context_data[REDELIVERED]


@pytest.fixture
def service(monkeypatch):
    service = Service()
    module = import_module("messaging.extensions.rpc")
    for pause in "RETRY_SECONDS", "SUPERSEDED_SECONDS":
        monkeypatch.setattr(module, pause, 0)

    class Responder:
        def __init__(self, *arguments, **options):
            pass

        def send_response(self, result, exc_info):
            service.replies.append(exc_info[1] if exc_info else result)
            return result, exc_info

    monkeypatch.setattr(nameko.rpc, "Responder", Responder)
    return service


def messages(count: int, first: int = 0, redelivered: bool = False) -> list[Message]:
    return [Message(number, redelivered=redelivered) for number in range(first, first + count)]


def test_a_call_is_answered_and_then_acknowledged(service):
    message = Message(1)
    service.deliver(message)
    assert (message.fate, service.replies) == ([], [])
    service.end(1, {"num_messages": 5})
    assert (message.fate, service.replies) == (["acknowledged"], [{"num_messages": 5}])


def test_a_call_is_acknowledged_once_if_the_reply_ends_when_its_time_is_over(service, monkeypatch):
    monkeypatch.setattr(service.stop, "_since", 0)  # so the reply may take 0.1 s, but it blocks everything for 0.2 s
    monkeypatch.setattr(nameko.rpc.Responder, "send_response", lambda self, *reply: time.sleep(0.2) or reply)
    message = Message(1)
    assert service.consumer.handle_result(message, "the reply", None) == ("the reply", None)
    assert message.fate == ["acknowledged"]


def test_a_call_that_fails_gets_its_error_as_the_reply(service):
    message, error = Message(1), DeliveryFailed("no room")
    service.deliver(message)
    service.end(1, error=error)
    assert (message.fate, service.replies) == (["acknowledged"], [error])


def test_a_call_says_if_it_was_delivered_before(service):
    service.deliver(Message(1), Message(2, redelivered=True))
    assert service.redelivered == {1: False, 2: True}


class TestHowManyRun:
    def test_the_next_call_begins_when_another_ends(self, service):
        service.deliver(*messages(CALLS_AT_ONCE + 2))
        assert sorted(service.running) == [*range(CALLS_AT_ONCE)]

        service.end(3)
        assert CALLS_AT_ONCE in service.running
        service.end(4, error=DeliveryFailed("no room"))
        assert CALLS_AT_ONCE + 1 in service.running
        assert len(service.running) == CALLS_AT_ONCE

    def test_calls_that_are_redelivered_after_a_lost_connection_do_not_exceed_the_limit(self, service):
        service.deliver(*messages(CALLS_AT_ONCE))
        for first in 100, 200, 300:
            service.reconnect()
            service.deliver(*messages(CALLS_AT_ONCE, first, redelivered=True))
            assert sorted(service.running) == [*range(CALLS_AT_ONCE)]

        service.end(0)
        assert sorted(service.running) == [*range(1, CALLS_AT_ONCE), 300], "earlier waiting calls are dropped"

    @pytest.mark.parametrize("error", [CallAgain(), Superseded(), RuntimeError("a bug"), None], ids=repr)
    def test_each_call_makes_room_however_it_ends(self, service, error):
        for number in range(3 * CALLS_AT_ONCE):
            service.deliver(Message(number))
            assert number in service.running
            service.end(number, error=error)

    def test_a_call_that_cannot_be_put_back_still_makes_room(self, service):
        for number in range(2 * CALLS_AT_ONCE):
            message = Message(number)
            message.requeue = message.ack = self.broken
            service.deliver(message)
            with pytest.raises(RuntimeError):
                service.end(number, error=CallAgain())

    def broken(self):
        raise RuntimeError("the channel is closed")

    def test_a_call_of_a_method_that_does_not_exist_is_answered_and_makes_room(self, service):
        unknown = [Message(number, "receive") for number in range(2 * CALLS_AT_ONCE)]
        service.deliver(*unknown)
        service.deliver(Message(1))

        assert all(message.fate == ["acknowledged"] for message in unknown)
        assert sorted(service.running) == [1]

    def test_a_call_that_had_to_wait_counts_as_delivered_before(self, service):
        """Its connection may have been lost meanwhile, and another instance may have the call."""
        service.deliver(*messages(CALLS_AT_ONCE + 1))
        service.end(0)

        assert service.redelivered == dict.fromkeys(range(CALLS_AT_ONCE), False) | {CALLS_AT_ONCE: True}


class TestCallsThatOthersAnswer:
    @pytest.mark.parametrize("error", [CallAgain(), Superseded()], ids=repr)
    def test_a_call_that_did_not_end_here_is_put_back_and_not_answered(self, service, error):
        message = Message(1)
        service.deliver(message)
        service.end(1, error=error)

        assert (message.fate, service.replies) == (["put back"], [])

    @pytest.mark.parametrize("error", [CallAgain(), Superseded()], ids=repr)
    def test_a_service_that_stops_leaves_an_unfinished_call_to_the_next_instance(self, service, error):
        message = Message(1)
        service.deliver(message)
        service.stop.ask()
        service.end(1, error=error)

        assert (message.fate, service.replies) == ([], [])

    def test_a_call_whose_connection_was_lost_is_not_put_back_and_ends_without_a_pause(self, service, monkeypatch):
        monkeypatch.setattr(import_module("messaging.extensions.rpc"), "SUPERSEDED_SECONDS", 3600)
        message = Message(1)
        service.deliver(message)
        message.channel.connection = None
        service.reconnect()
        service.end(1, error=Superseded())

        assert message.fate == []


class TestStopping:
    def test_waiting_calls_are_left_in_their_queue_and_running_calls_are_answered(self, service):
        # Given calls that run and calls that wait
        running, waiting = messages(CALLS_AT_ONCE), messages(3, first=100)
        service.deliver(*running, *waiting)

        # When the service is told to stop
        service.entrypoint.stop()
        service.queue.on_iteration()

        # Then no other call begins, and the service goes on until each running call is answered
        for message in running:
            assert not service.queue.should_stop
            service.end(message.number)
            service.queue.on_iteration()
        assert service.queue.should_stop
        assert service.running == {}
        assert all(message.fate == ["acknowledged"] for message in running)
        assert all(message.fate == [] for message in waiting)
        assert len(service.replies) == CALLS_AT_ONCE

    def test_a_call_that_arrives_after_the_stop_is_left_in_its_queue(self, service):
        service.stop.ask()
        message = Message(1)
        service.deliver(message)
        assert service.running == {}

        service.queue.on_iteration()
        assert message.fate == []
        assert service.queue.should_stop

    def test_calls_of_a_lost_connection_are_not_waited_for(self, service):
        service.deliver(*messages(2))
        service.reconnect()
        service.stop.ask()
        service.queue.on_iteration()
        assert service.queue.should_stop
