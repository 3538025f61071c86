"""Calls to the services, and how they fail."""

import logging
from contextlib import contextmanager

import pytest
from amqp.exceptions import ConnectionForced, MessageNacked
from nameko.exceptions import RemoteError, RpcTimeout, UnknownService, deserialize, serialize

from api.problems import Problem
from api.rpc.calls import Calls
from api.rpc.errors import NotAnswered, NotTaken
from messaging.runs.outcome import DeliveryFailed, StoppedForGood, TooLarge
from tests.unit.api_fakes import asked

FIGURES = {"num_messages": 10}


class FakeProxy:
    """A connection that takes calls. It can raise an error instead of taking a call, or instead of the reply."""

    def __init__(self):
        self.on_call: Exception | None = None
        self.on_answer: Exception | None = None
        self.runs_after_waiting = True
        self.calls = []

    def is_running(self, service, wait_seconds=0):
        return self.runs_after_waiting

    def call(self, *arguments, **named):
        if self.on_call:
            raise self.on_call
        self.calls.append((arguments, named))
        return self

    queue = call

    def result(self):
        if self.on_answer:
            raise self.on_answer
        return FIGURES


class FakePool:
    amqp_uri = "amqp://user:secret@rabbit:5672"
    timeout = 15

    def __init__(self, proxy: FakeProxy):
        self._proxy = proxy
        self.is_running = True
        self.error: Exception | None = None

    @contextmanager
    def proxy(self, service):
        if self.error:
            raise self.error
        yield self._proxy, self.is_running


@pytest.fixture
def proxy():
    return FakeProxy()


@pytest.fixture
def pool(proxy):
    return FakePool(proxy)


@pytest.fixture
def calls(pool):
    return Calls(pool)


def call(calls: Calls, request=None, on_record: bool = False, on_taken=lambda: None):
    with calls.connected("ping") as send:
        return send(request or asked(), on_record, on_taken)


def refused(attempt, *arguments) -> Problem:
    with pytest.raises(Problem) as raised:
        attempt(*arguments)
    return raised.value


def test_a_call_returns_the_figures(calls, proxy):
    request = asked("ping", 10, 5)

    assert call(calls, request) == FIGURES
    assert proxy.calls == [(("ping", 10, 5), {"run_id": str(request.run), "to_disk": False})]


def test_a_call_of_a_run_that_is_on_record_has_its_creation_time_and_goes_to_disk(calls, proxy):
    request = asked("ping", 10, 5)
    call(calls, request, on_record=True)

    named = {"run_id": str(request.run), "created": request.created, "to_disk": True}
    assert proxy.calls == [(("ping", 10, 5), named)]


@pytest.mark.parametrize("on_record", [True, False])
def test_a_call_of_a_paced_run_has_its_rate(calls, proxy, on_record):
    call(calls, asked("ping", 10, 5, rate=7), on_record)
    calls.queue(asked("ping", 10, 5, rate=7))

    assert [named["rate"] for _, named in proxy.calls] == [7, 7]


def test_a_queued_call_says_that_nobody_waits_for_it(calls, proxy):
    request = asked("pong", 10, 5)
    calls.queue(request)

    named = {"run_id": str(request.run), "created": request.created, "queued": True}
    assert proxy.calls == [(("pong", 10, 5), named)]


def test_on_taken_is_called_after_rabbitmq_confirms_the_call_and_before_the_reply(calls, proxy):
    steps = []
    proxy.on_answer = RpcTimeout(15)
    with pytest.raises(Problem):
        call(calls, on_taken=lambda: steps.append(len(proxy.calls)))
    assert steps == [1]

    proxy.on_call = TimeoutError()
    with pytest.raises(Problem):
        call(calls, on_taken=lambda: steps.append("taken"))
    assert steps == [1]


def test_a_service_that_comes_back_in_time_is_called(calls, pool):
    pool.is_running = False

    assert call(calls) == FIGURES


def test_a_service_that_does_not_come_back_in_time_is_503_and_not_called(calls, pool, proxy):
    pool.is_running = proxy.runs_after_waiting = False
    problem = refused(call, calls)

    assert (problem.status, "ping is not running" in problem.detail) == (503, True)
    assert proxy.calls == []


def test_a_call_can_be_queued_while_its_service_is_down(calls, pool, proxy):
    pool.is_running = proxy.runs_after_waiting = False
    calls.queue(asked())

    assert len(proxy.calls) == 1


def test_a_service_that_has_never_run_is_503(calls, proxy):
    proxy.on_call = UnknownService("ping")

    assert "ping is not running" in refused(call, calls).detail
    assert "ping is not running" in refused(calls.queue, asked()).detail


def test_absent_rabbitmq_is_503_and_the_problem_does_not_contain_the_password(calls, pool):
    pool.error = ConnectionRefusedError("refused")
    problem = refused(call, calls)

    assert (problem.status, "RabbitMQ does not answer at amqp://user:" in problem.detail) == (503, True)
    assert "secret" not in problem.detail


@pytest.mark.parametrize(
    "error", [TimeoutError(), BlockingIOError(), ConnectionForced("gone"), MessageNacked()], ids=repr
)
def test_a_call_that_rabbitmq_does_not_confirm_is_reported_as_not_taken(calls, proxy, error):
    proxy.on_call = error

    assert isinstance(refused(call, calls), NotTaken)
    assert isinstance(refused(calls.queue, asked()), NotTaken)


def test_a_connection_lost_while_waiting_is_503(calls, proxy):
    proxy.on_answer = ConnectionResetError("reset")
    problem = refused(call, calls)

    assert (problem.status, isinstance(problem, NotTaken)) == (503, False)
    assert "was lost before ping replied" in problem.detail


def test_no_reply_in_time_is_504(calls, proxy):
    proxy.on_answer = RpcTimeout(15)
    problem = refused(call, calls)

    assert isinstance(problem, NotAnswered)
    assert (problem.status, "within 15 s" in problem.detail) == (504, True)


def test_too_large_messages_are_400_because_they_would_be_too_large_again(calls, proxy, caplog):
    proxy.on_answer = deserialize(serialize(TooLarge("Kafka does not take messages of 2000000 bytes")))
    with caplog.at_level(logging.ERROR):
        problem = refused(call, calls)

    assert (problem.status, problem.detail) == (400, "Kafka does not take messages of 2000000 bytes.")
    assert "ping failed" in caplog.text


def test_a_run_that_a_user_has_stopped_is_409_and_the_response_does_not_say_to_try_again(calls, proxy):
    proxy.on_answer = deserialize(serialize(StoppedForGood("stopped; 3 of 10 messages were sent")))
    problem = refused(call, calls)

    assert problem.status == 409
    assert problem.detail == "The run was stopped; 3 of 10 messages were sent. Its link shows what was received."


def test_a_foreign_remote_error_with_the_name_of_our_exception_is_503(calls, proxy):
    proxy.on_answer = RemoteError("TooLarge", "of another service")

    assert refused(call, calls).status == 503


def test_any_other_failure_of_the_service_is_503_with_its_text(calls, proxy):
    proxy.on_answer = deserialize(serialize(DeliveryFailed("Kafka acknowledged 3 of 10 messages")))
    problem = refused(call, calls)

    assert (problem.status, "Kafka acknowledged 3 of 10 messages" in problem.detail) == (503, True)
