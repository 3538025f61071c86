"""Fixtures of the contract's tests. Each test class adds `client` and `nowhere`."""

import logging
import uuid
from collections.abc import Mapping
from contextlib import ExitStack, closing, suppress
from types import MappingProxyType

import pytest

from messaging.clients.errors import ClientError
from messaging.clients.protocols import Topic
from tests.clients.kit import answer, until


@pytest.fixture(autouse=True)
def quiet(caplog):
    """Keep kafka-python's log out of the reports of failed tests. It has several lines a second while Kafka is away."""
    for name in "kafka", "kafka.conn", "kafka.client":
        caplog.set_level(logging.CRITICAL, name)


@pytest.fixture
def closed():
    """Closes things at the end of the test, the newest first."""
    with ExitStack() as stack:
        yield lambda thing: stack.enter_context(closing(thing))


@pytest.fixture
def closed_at_once():
    """Closes producers at the end of the test, without waiting for messages under way."""
    with ExitStack() as stack:

        def closed_at_once(producer):
            stack.callback(producer.close, 0)
            return producer

        yield closed_at_once


@pytest.fixture
def new_topic(client):
    """Creates topics with unique names."""
    nothing: Mapping[str, str] = MappingProxyType({})

    def new_topic(partitions: int = 1, options: Mapping[str, str] = nothing) -> str:
        topic = Topic(f"contract-{uuid.uuid4().hex[:8]}", partitions, 1, options)
        with closing(client.admin()) as admin:
            # If an earlier test has frozen or killed Kafka, this may take a while.
            until(lambda: answer(lambda: admin.create(topic) or True))
        return topic.name

    return new_topic


@pytest.fixture
def producer(client, closed_at_once):
    return closed_at_once(client.producer())


@pytest.fixture
def reader(client, closed):
    return closed(client.reader())


@pytest.fixture
def group():
    """The name of a new consumer group."""
    return f"contract-{uuid.uuid4().hex[:8]}"


@pytest.fixture
def join(client, group):
    """Makes consumers of the group, and closes them at the end of the test."""
    consumers = []

    def join(*topics: str, **options: object):
        consumers.append(client.consumer(group, topics, **options))
        return consumers[-1]

    yield join
    for consumer in consumers:
        with suppress(ClientError):
            consumer.close()
