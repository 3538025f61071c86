"""The contract of a client while Kafka is frozen or gone.

Every wait ends in time, every error is a ClientError, and the work continues afterwards.
"""

import time
from contextlib import contextmanager

import pytest

from messaging.clients.errors import Unavailable
from messaging.clients.protocols import Partition, Topic
from tests.clients.kit import Member, answer, numbers, poll_until_given, read_all, send_numbers, until, within


@contextmanager
def frozen(kafka):
    """Freeze Kafka during the block. Its connections stay open."""
    kafka.suspend()
    try:
        yield
    finally:
        kafka.resume()


@contextmanager
def gone(kafka):
    """Kill Kafka, and start it again after the block."""
    kafka.kill()
    try:
        yield
    finally:
        kafka.start()


class OutageContract:
    def test_everything_is_unavailable_if_no_broker_is_at_the_address(self, nowhere, group):
        with within(30):
            for make in nowhere.producer, nowhere.reader, lambda: nowhere.consumer(group, ["t"]), nowhere.admin:
                with pytest.raises(Unavailable):
                    make()

    def test_a_wait_for_acknowledgements_ends_in_time_while_kafka_is_frozen(self, brokers, new_topic, producer):
        # Given a frozen Kafka
        topic = new_topic()
        send_numbers(producer, topic, range(10))
        with frozen(brokers.kafka):
            # When messages are handed over
            delivery = producer.send(topic, [None] * 10, [b"v"] * 10, [0] * 10)

            # Then each wait for their acknowledgements ends in time and returns False
            with within(4):
                assert not delivery.wait(0.5)
                assert not producer.flush(1)
            assert not delivery.done
            assert not any(delivery.acknowledged)
            assert delivery.failures == {}

        # And the messages are sent when Kafka answers again
        assert producer.flush(30)
        assert all(delivery.acknowledged)

    def test_close_gives_up_the_messages_under_way_while_kafka_is_frozen(self, brokers, client, new_topic):
        topic = new_topic()
        producer = client.producer()
        send_numbers(producer, topic, range(10))
        with frozen(brokers.kafka):
            delivery = producer.send(topic, [None] * 10, [b"v"] * 10, [0] * 10)
            with within(4):
                producer.close(0.5)

            assert not any(delivery.acknowledged)
            assert {type(error) for error in delivery.failures.values()} <= {Unavailable}

    def test_questions_about_the_cluster_end_in_time_while_kafka_is_frozen(self, brokers, client, closed, group):
        admin = closed(client.admin(2))
        [broker] = admin.cluster().brokers
        with frozen(brokers.kafka), within(15):
            for ask in lambda: admin.group_states([group]), admin.cluster, lambda: admin.log_bytes(broker):
                with pytest.raises(Unavailable):
                    ask()
            with pytest.raises(Unavailable):
                client.admin(2).group_states([group])

    def test_questions_about_the_cluster_end_in_time_after_kafka_was_killed(self, brokers, client, closed, group):
        admin = closed(client.admin(2))
        admin.cluster()
        with gone(brokers.kafka), within(15):
            for ask in lambda: admin.group_states([group]), admin.cluster, lambda: admin.create(Topic(group, 1, 1)):
                with pytest.raises(Unavailable):
                    ask()

    def test_a_commit_ends_in_time_while_kafka_is_frozen(self, brokers, new_topic, join):
        if not self.interruptible:
            pytest.skip("this library's calls cannot be interrupted in native threads")
        partition = Partition(new_topic(), 0)
        consumer = join(partition.topic)
        poll_until_given(consumer)
        with frozen(brokers.kafka), within(5):
            with pytest.raises(Unavailable):
                consumer.commit({partition: 1}, 1)
            consumer.commit_soon({partition: 2})  # raises nothing
            assert consumer.confirmed == {}
            answer(consumer.close)

    def test_a_consumer_goes_on_after_kafka_was_frozen(self, brokers, new_topic, producer, join):
        topic = new_topic()
        member = Member(lambda: join(topic))
        send_numbers(producer, topic, range(100))
        until(lambda: len(member.received) == 100)
        with frozen(brokers.kafka):
            time.sleep(2)
        send_numbers(producer, topic, range(100, 200))

        until(lambda: len(member.received) == 200, 30)
        assert numbers(member.received) == list(range(200))
        member.leave()

    def test_everything_goes_on_after_kafka_was_gone(self, brokers, new_topic, producer, reader, join, group):
        # Given a consumer that has committed what it has received
        partition = Partition(new_topic(), 0)
        member = Member(lambda: join(partition.topic))
        send_numbers(producer, partition.topic, range(100))
        until(lambda: len(member.received) == 100)
        member.call(lambda consumer: consumer.commit({partition: 100}, 10))

        # When Kafka is killed, and messages are sent meanwhile
        values = [b"%d" % number for number in range(100, 200)]
        with gone(brokers.kafka):
            delivery = producer.send(partition.topic, [None] * 100, values, [0] * 100)
            assert not delivery.wait(1)

        # Then these messages reach Kafka and the consumer when Kafka is back
        assert delivery.wait(60)
        assert all(delivery.acknowledged)
        until(lambda: len(member.received) == 200, 60)
        assert numbers(member.received) == list(range(200))

        # And readers and commits work as before
        until(lambda: answer(lambda: reader.partitions(partition.topic) == [partition]))
        assert numbers(read_all(reader, partition.topic)) == list(range(200))
        member.leave()
        assert reader.committed(group, [partition]) == {partition: 200}
