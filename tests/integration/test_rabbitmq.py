"""RabbitMQ is down or frozen, or refuses ping and pong. Or a message is not a call."""

from concurrent.futures import ThreadPoolExecutor

import pytest
from amqp import Message
from kombu import Connection

from local.services import PING
from tests.integration.processes import eventually

NO_CALLS = {
    "without properties": {},
    "without an address for the reply": {"content_type": "application/json"},
    "of an unknown type": {"content_type": "application/data", "content_encoding": "binary", "reply_to": "nobody"},
}
"""The properties of messages of other programs."""


def test_sigterm_ends_a_service_even_while_it_waits_for_rabbitmq(start):
    ping = start("ping", *PING, AMQP_URI="amqp://guest:guest@127.0.0.1:1")
    eventually(lambda: "waiting for RabbitMQ at amqp://guest:********@127.0.0.1:1" in ping.log)

    assert ping.terminate(8)[0] == 0


def test_sigterm_ends_a_service_whose_reply_waits_for_a_frozen_rabbitmq(stack):
    # Given a ping that has replied before, so that it has a connection for replies
    assert stack.get("/ping/10/10").status_code == 200
    with ThreadPoolExecutor() as pool:
        # When it must reply while RabbitMQ is frozen
        answer = pool.submit(stack.get, "/ping/100000/10?rate=10000")
        eventually(lambda: any(run["state"] == "sending" for run in stack.get("/runs").json()["runs"]))
        stack.brokers.rabbitmq.suspend()
        try:
            code, seconds = stack.ping.terminate(10)
        finally:
            stack.brokers.rabbitmq.resume()
        answer.result()

    # Then it ends in time
    assert (code, seconds < 10) == (0, True)


@pytest.mark.parametrize("kind", NO_CALLS)
def test_a_message_that_is_no_call_is_dropped(stack, kind):
    before = stack.ping.log.count("is no call")
    with Connection(stack.brokers.amqp_uri) as connection, connection.channel() as channel:
        channel.basic_publish(Message(b"{}", **NO_CALLS[kind]), exchange="", routing_key="rpc-ping")
    eventually(lambda: stack.ping.log.count("is no call") > before, what="no line in ping's log")

    assert stack.get("/ping/10/10").status_code == 200
    assert stack.ping.running


@pytest.mark.parametrize("path", ["/nosuch", ""])
def test_a_service_that_rabbitmq_refuses_ends_with_the_reason(start, brokers, path):
    uri = brokers.amqp_uri + path if path else brokers.amqp_uri.replace("guest:guest", "guest:wrong")
    ping = start("ping", *PING, AMQP_URI=uri)

    assert ping.popen.wait(30) == 1
    eventually(lambda: "RabbitMQ refuses the user, password, virtual host or a permission of AMQP_URI" in ping.log)
