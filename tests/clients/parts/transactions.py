"""The contract of transactions: readers see a whole transaction or nothing. A newer producer fences an older one."""

import uuid

import pytest

from messaging.clients.errors import Aborted, Fenced, OutcomeUnknown, Refused
from messaging.clients.protocols import Partition
from tests.clients.kit import (
    Member,
    answer,
    messages_of,
    numbers,
    poll_until_given,
    read_all,
    receive,
    send_numbers,
    until,
    within,
)
from tests.clients.parts.outages import frozen

SECONDS = 10


def send(producer, topic: str, sequence: range, partitions: int = 1) -> None:
    values = [b"%d" % number for number in sequence]
    producer.send(topic, [b"k"] * len(values), values, [number % partitions for number in sequence], SECONDS)


class TransactionContract:
    @pytest.fixture
    def make(self, client):
        """Makes started producers with the same transactional id."""
        producers, transactional_id = [], f"contract-{uuid.uuid4().hex[:8]}"

        def make(*topics: str):
            producers.append(client.transactional_producer(transactional_id, topics))
            producers[-1].start(30)
            return producers[-1]

        yield make
        for producer in producers:
            producer.close(1)

    @pytest.fixture
    def consume(self, client, group):
        """Makes transactional consumers of the group."""
        consumers = []

        def consume(*topics):
            consumers.append(client.consumer(group, topics))
            return consumers[-1]

        yield consume
        for consumer in consumers:
            consumer.close()

    def test_committed_messages_are_read_in_their_order(self, new_topic, make, reader):
        topic, producer = new_topic(partitions=2), make()
        for start in 0, 5000:
            producer.begin()
            send(producer, topic, range(start, start + 2500), 2)
            send(producer, topic, range(start + 2500, start + 5000), 2)
            producer.commit(SECONDS)

        messages = read_all(reader, topic)
        for partition in range(2):
            assert numbers(m for m in messages if m.partition == partition) == list(range(partition, 10_000, 2))

    def test_aborted_messages_are_not_read(self, new_topic, make, reader):
        topic, producer = new_topic(), make()
        producer.begin()
        send(producer, topic, range(100))
        until(lambda: reader.ends([Partition(topic, 0)]) == {Partition(topic, 0): 100})
        send(producer, topic, range(100, 200))  # these are still queued when the abort begins
        producer.abort(SECONDS)
        producer.begin()
        send(producer, topic, range(200, 300))
        producer.commit(SECONDS)

        assert numbers(read_all(reader, topic)) == list(range(200, 300))

    def test_an_empty_transaction_can_be_committed_and_aborted(self, make):
        producer = make()
        producer.begin()
        producer.commit(SECONDS)
        producer.begin()
        producer.abort(SECONDS)

    def test_a_reader_stops_at_an_open_transaction_until_it_is_aborted(self, new_topic, make, reader, producer):
        # Given an open transaction whose messages are in Kafka
        partition = Partition(new_topic(), 0)
        send_numbers(producer, partition.topic, range(5))
        open_ = make()
        open_.begin()
        send(open_, partition.topic, range(10))
        until(lambda: reader.ends([partition])[partition] == 15)

        # Then a reader gets only the messages before the transaction
        reader.assign({partition: 0})
        assert len(receive(reader, 5)) == 5
        assert messages_of(reader.poll(0.5)) == []
        assert reader.position(partition) == 5

        # And after the abort it reaches the end, although it gets no more messages
        open_.abort(SECONDS)
        until(lambda: reader.ends([partition])[partition] == 16)
        until(lambda: messages_of(reader.poll(0.1)) == [] and reader.position(partition) == 16)

    def test_offsets_are_committed_with_the_messages_or_not_at_all(self, new_topic, make, consume, reader, group):
        partition = Partition(new_topic(), 0)
        consumer, producer = consume(partition.topic), make()
        poll_until_given(consumer)
        producer.begin()
        send(producer, partition.topic, range(10))
        producer.commit(SECONDS, {partition: 3}, consumer.membership)
        until(lambda: reader.committed(group, [partition]) == {partition: 3})

        producer.begin()
        send(producer, partition.topic, range(10))
        make()  # fences the first producer
        with pytest.raises(Fenced):
            producer.commit(SECONDS, {partition: 7}, consumer.membership)
        assert reader.committed(group, [partition]) == {partition: 3}

    def test_a_consumer_sees_committed_messages_only(self, new_topic, make, consume):
        topic = new_topic()
        consumer, producer = consume(topic), make()
        producer.begin()
        send(producer, topic, range(10))
        producer.abort(SECONDS)
        producer.begin()
        send(producer, topic, range(10, 20))
        producer.commit(SECONDS)

        assert numbers(receive(consumer, 10)) == list(range(10, 20))

    def test_offsets_with_an_old_membership_are_refused(self, new_topic, make, consume, reader, group, client):
        # Given a member of a group
        partition = Partition(new_topic(), 0)
        consumer, producer = consume(partition.topic), make()
        poll_until_given(consumer)
        old = consumer.membership

        # When another member joins, and the group changes
        other = Member(lambda: client.consumer(group, [partition.topic]), commits=False)
        until(lambda: consumer.poll(0.1) and other.changes)

        # Then offsets with the old membership cannot be committed
        producer.begin()
        send(producer, partition.topic, range(10))
        with pytest.raises(Aborted):
            producer.commit(SECONDS, {partition: 7}, old)
        producer.abort(SECONDS)
        assert reader.committed(group, [partition]) == {partition: 0}
        assert read_all(reader, partition.topic) == []
        other.leave()

    def test_a_second_producer_of_the_same_id_fences_the_first_and_aborts_its_messages(self, new_topic, make, reader):
        # Given a producer with an open transaction
        topic, first = new_topic(), make()
        first.begin()
        send(first, topic, range(1000))

        # When a second one starts
        second = make()
        second.begin()
        send(second, topic, range(1000, 1500))

        # Then the first one can neither commit nor begin again, but the second one can commit
        with pytest.raises(Fenced):
            first.commit(SECONDS)
        with pytest.raises(Fenced):
            first.begin()
        second.commit(SECONDS)
        assert numbers(read_all(reader, topic)) == list(range(1000, 1500))

    @pytest.mark.parametrize("size", [5000, 5_000_000])
    def test_a_commit_fails_if_a_message_is_too_large_but_the_next_transaction_works(
        self, new_topic, make, reader, size
    ):
        topic = new_topic(options={"max.message.bytes": "2000"})
        producer = make(topic)
        producer.begin()
        producer.send(topic, [b"k"] * 3, [b"1", bytes(size), b"2"], [0] * 3, SECONDS)
        with pytest.raises(Refused):
            producer.commit(SECONDS)
        producer.abort(SECONDS)
        producer.begin()
        send(producer, topic, range(100))
        producer.commit(SECONDS)

        assert numbers(read_all(reader, topic)) == list(range(100))

    def test_messages_that_fit_are_committed_although_their_batch_is_too_large(self, new_topic, make, reader):
        topic = new_topic(options={"max.message.bytes": "2000"})
        producer = make(topic)
        producer.begin()
        producer.send(topic, [b"k"] * 100, [bytes(100)] * 100, [0] * 100, SECONDS)
        producer.commit(SECONDS)

        assert len(read_all(reader, topic)) == 100

    def test_the_commit_of_a_transaction_ends_in_time_while_kafka_is_frozen(self, brokers, new_topic, make):
        topic, producer = new_topic(), make()
        producer.begin()
        send(producer, topic, range(10))
        with frozen(brokers.kafka), pytest.raises((Aborted, OutcomeUnknown)):
            producer.commit(1)

    def test_a_commit_of_offsets_times_out_if_kafka_is_frozen_but_a_new_producer_can_repeat_it(
        self, brokers, new_topic, make, consume, reader, group
    ):
        if not self.interruptible:
            pytest.skip("this library's calls cannot be interrupted in native threads")
        partition = Partition(new_topic(), 0)
        consumer, producer = consume(partition.topic), make()
        poll_until_given(consumer)
        producer.begin()
        with frozen(brokers.kafka), within(5), pytest.raises((Aborted, OutcomeUnknown)):
            producer.commit(1, {partition: 3}, consumer.membership)

        until(lambda: not messages_of(consumer.poll(0.1)) and answer(lambda: reader.ends([partition])))
        other = make()
        other.begin()
        other.commit(SECONDS, {partition: 3}, consumer.membership)
        until(lambda: reader.committed(group, [partition]) == {partition: 3})

    def test_closing_a_producer_aborts_its_open_transaction(self, new_topic, make, reader):
        topic, producer = new_topic(), make()
        producer.begin()
        send(producer, topic, range(10))
        producer.close(SECONDS)
        producer.close(SECONDS)

        assert read_all(reader, topic) == []

    def test_a_transactional_producer_knows_how_many_partitions_a_topic_has(self, new_topic, make):
        assert make().partitions(new_topic(partitions=3)) == 3
