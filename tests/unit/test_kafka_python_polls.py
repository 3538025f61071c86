"""If a poll of the kafka-python client fails, a later poll returns the messages that the failed poll has taken."""

from types import SimpleNamespace

import pytest
from kafka import TopicPartition
from kafka.consumer.fetcher import CompletedFetch
from kafka.record.default_records import DefaultRecordBatchBuilder

from messaging.clients.errors import Unavailable
from messaging.clients.kafka_python.consumer import KafkaPythonConsumer
from messaging.clients.protocols import Partition, Taken, directly

GOOD, BAD = TopicPartition("pong", 0), TopicPartition("pong", 1)
NOWHERE = {"bootstrap_servers": "127.0.0.1:1", "api_version": (2, 5), "group_id": None, "enable_auto_commit": False}
STORAGE_ERROR = 56


class Fetches:
    """Kafka's responses to a consumer that has both partitions."""

    def __init__(self) -> None:
        self.consumer = KafkaPythonConsumer(["pong"], NOWHERE, directly)
        self.library = self.consumer._consumer
        self.library.unsubscribe()
        self.library.assign([GOOD, BAD])
        for partition in GOOD, BAD:
            self.library.seek(partition, 0)

    def comes(self, partition: TopicPartition, data: bytes = b"", error: int = 0) -> None:
        position = self.library._subscription.assignment[partition].position
        metrics = SimpleNamespace(record=lambda *arguments: None)
        fetch = CompletedFetch(partition, position, (4,), (error, 1000, data), metrics)
        self.library._fetcher._completed_fetches.append(fetch)

    def poll(self) -> list[tuple[int, int]]:
        """Return the partition and the offset of each message."""
        polled = self.consumer.poll(0)
        return [at for fetched in polled.fetched for at in zip(fetched.partitions, fetched.offsets, strict=True)]


@pytest.fixture
def fetches():
    fetches = Fetches()
    yield fetches
    fetches.consumer.close()


def fail() -> None:
    raise OSError("no more sockets")


def batch(count: int) -> bytes:
    builder = DefaultRecordBatchBuilder(2, 0, False, -1, -1, -1, 10**6)
    for offset in range(count):
        builder.append(offset, 1_700_000_000_000, None, b"value", [])
    return bytes(builder.build())


def test_an_error_in_one_partition_skips_no_messages_of_another(fetches):
    # Given messages of one partition, and an error in another one
    fetches.comes(GOOD, batch(3))
    fetches.comes(BAD, error=STORAGE_ERROR)
    with pytest.raises(Unavailable):
        fetches.poll()

    # When the partition's messages are fetched again, at its position
    fetches.comes(GOOD, batch(3))

    # Then all messages are returned
    assert fetches.poll() == [(0, 0), (0, 1), (0, 2)]


def test_an_error_after_the_messages_were_taken_skips_none_of_them(fetches, monkeypatch):
    fetches.comes(GOOD, batch(3))
    with monkeypatch.context() as patched:
        patched.setattr(fetches.library._fetcher, "send_fetches", fail)
        with pytest.raises(Unavailable):
            fetches.poll()

    fetches.comes(GOOD, batch(3))
    assert fetches.poll() == [(0, 0), (0, 1), (0, 2)]


def test_a_member_whose_partitions_are_taken_away_joins_the_group_again(fetches, monkeypatch):
    # Given a poll that reports a rebalance, while kafka-python sees no need to join the group again
    fetches.library._coordinator.rejoin_needed = False
    monkeypatch.setattr(
        fetches.library, "poll", lambda **_: fetches.consumer._listener.on_partitions_revoked({GOOD, BAD})
    )
    assert fetches.consumer.poll(0).changes == [Taken(frozenset({Partition(*GOOD), Partition(*BAD)}))]

    # Then the member joins again
    assert fetches.library._coordinator.rejoin_needed


def test_a_batch_that_cannot_be_read_is_not_skipped(fetches):
    # Given a batch that can be read, and one whose header counts one message too many
    good, bad = batch(3), bytearray(batch(3))
    bad[7] = 3  # its first offset
    bad[57:61] = (4).to_bytes(4)  # its header says four messages, but it has three
    fetches.comes(BAD, good + bytes(bad))
    with pytest.raises(Unavailable):
        fetches.poll()

    # When the next poll returns nothing, and Kafka then sends both batches again, without the error
    assert fetches.poll() == []
    bad[57:61] = (3).to_bytes(4)
    fetches.comes(BAD, good + bytes(bad))

    # Then all messages are returned
    assert fetches.poll() == [(1, offset) for offset in range(6)]
