"""Calls that RabbitMQ delivers again, because the service has lost its connection."""

from messaging.extensions.queue import CALLS_AT_ONCE
from tests.integration.processes import Stack, eventually
from tests.integration.runs import finished, post, run_of


def test_ping_still_consumes_from_kafka_while_its_calls_are_delivered_again(stack):
    # Given a ping that carries out CALLS_AT_ONCE calls. Their runs are paced, so that rabbitmqctl gets CPU time.
    answers = [post(stack, "/ping/1000000/100?rate=1000") for _ in range(CALLS_AT_ONCE)]
    eventually(lambda: {run_of(stack, answer)["state"] for answer in answers} == {"sending"})
    consumer = calls(stack)[0]

    # When RabbitMQ closes the connection, and delivers all calls again
    stack.brokers.rabbitmq.rabbitmqctl("close_all_user_connections", "guest", "a test")
    eventually(lambda: consumer != (now := calls(stack))[0] and now[1] == CALLS_AT_ONCE, what="calls do not come again")

    # Then ping still consumes
    def consumed() -> int:
        return sum(run_of(stack, answer)["stages"]["ping_received"]["messages"] for answer in answers)

    before = consumed()
    eventually(lambda: consumed() > before + 10_000, what="ping does not consume")
    assert {run_of(stack, answer)["state"] for answer in answers} == {"sending"}
    for answer in answers:
        stack.request("DELETE", answer.headers["Location"])
    assert {finished(stack, answer)["state"] for answer in answers} == {"stopped"}


def calls(stack: Stack) -> tuple[str, int]:
    """Return the channel that consumes the calls of ping, and how many of these calls are not acknowledged."""
    rabbitmqctl = stack.brokers.rabbitmq.rabbitmqctl
    consumers = [line.split("\t") for line in rabbitmqctl("list_consumers", "queue_name", "channel_pid").splitlines()]
    queues = [line.split("\t") for line in rabbitmqctl("list_queues", "name", "messages_unacknowledged").splitlines()]
    channel = next((channel for queue, channel in consumers if queue == "rpc-ping"), "")
    return channel, next(int(count) for queue, count in queues if queue == "rpc-ping")
