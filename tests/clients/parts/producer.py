"""The contract of a producer. `send` takes columns and returns one delivery, which has the result of each message."""

import threading

import pytest

from messaging.clients.errors import Refused, TooLarge, Unavailable
from tests.clients.kit import Message, numbers, read_all, send_numbers

LIMIT = {"max.message.bytes": "200000"}


class ProducerContract:
    def test_messages_arrive_with_their_keys_and_values_in_their_partitions(self, new_topic, producer, reader):
        topic = new_topic(partitions=2)
        keys = [b"a", b"", None, b"\xff" * 32, b"no value"]
        values = [b"1", b"", b"no key", b"\x00" * 1000, None]
        delivery = producer.send(topic, keys, values, [0, 1, 0, 1, 1])
        assert delivery.wait(20)

        assert sorted(read_all(reader, topic), key=lambda message: message[:2]) == [
            Message(0, 0, b"a", b"1"),
            Message(0, 1, None, b"no key"),
            Message(1, 0, b"", b""),
            Message(1, 1, b"\xff" * 32, b"\x00" * 1000),
            Message(1, 2, b"no value", None),
        ]

    def test_messages_keep_their_order_within_each_partition(self, new_topic, producer, reader):
        topic = new_topic(partitions=3)
        values = [b"%d" % number for number in range(9000)]
        deliveries = [
            producer.send(topic, [None] * 900, values[at : at + 900], [0, 1, 2] * 300) for at in range(0, 9000, 900)
        ]
        assert all(delivery.wait(20) for delivery in deliveries)

        messages = read_all(reader, topic)
        assert len(messages) == 9000
        for partition in range(3):
            order = numbers(message for message in messages if message.partition == partition)
            assert order == sorted(order)
            assert len(order) == 3000

    def test_a_delivery_is_done_when_every_message_is_acknowledged(self, new_topic, producer):
        delivery = producer.send(new_topic(), [b"k"] * 500, [b"v"] * 500, [0] * 500)

        assert delivery.wait(20)
        assert delivery.done
        assert list(delivery.acknowledged) == [True] * 500
        assert delivery.failures == {}

    def test_a_delivery_of_no_messages_is_done_at_once(self, new_topic, producer):
        delivery = producer.send(new_topic(), [], [], [])

        assert delivery.done
        assert delivery.wait(0)
        assert (list(delivery.acknowledged), delivery.failures) == ([], {})

    def test_a_message_without_key_and_value_is_refused_and_the_others_are_sent(self, new_topic, producer, reader):
        topic = new_topic()
        delivery = producer.send(topic, [b"a", None, None], [None, None, b"c"], [0, 0, 0])

        assert delivery.wait(20)
        assert list(delivery.acknowledged) == [True, False, True]
        assert {index: type(error) for index, error in delivery.failures.items()} == {1: Refused}
        assert [message[2:] for message in read_all(reader, topic)] == [(b"a", None), (None, b"c")]

    def test_messages_too_large_for_their_topic_are_refused_and_the_others_are_sent(self, new_topic, producer, reader):
        topic = new_topic(options=LIMIT)
        sizes = [10, 300_000, 100, 150_000, 250_000, 10]
        delivery = producer.send(topic, [None] * 6, [bytes(size) for size in sizes], [0] * 6)

        assert delivery.wait(20)
        assert {index: type(error) for index, error in delivery.failures.items()} == {1: TooLarge, 4: TooLarge}
        assert list(delivery.acknowledged) == [True, False, True, True, False, True]
        assert [len(message.value) for message in read_all(reader, topic)] == [10, 100, 150_000, 10]

    def test_messages_that_fit_are_sent_in_their_order_although_their_batch_is_too_large(
        self, new_topic, producer, reader
    ):
        topic = new_topic(options={"max.message.bytes": "6000"})
        values = [b"%0100d" % number for number in range(3000)]
        deliveries = [
            producer.send(topic, [None] * 500, values[at : at + 500], [0] * 500) for at in range(0, 3000, 500)
        ]

        assert all(delivery.wait(20) for delivery in deliveries)
        assert all(all(delivery.acknowledged) for delivery in deliveries)
        assert [message.value for message in read_all(reader, topic)] == values

    def test_a_producer_says_how_many_messages_it_has_sent_again(self, new_topic, producer):
        small, topic = new_topic(), new_topic(options={"max.message.bytes": "2000"})
        send_numbers(producer, small, range(100))
        assert producer.sent_again.get(small, 0) == 0

        assert producer.send(topic, [None] * 1000, [bytes(100)] * 1000, [0] * 1000).wait(20)
        assert (producer.sent_again.get(topic, 0) >= 1) == self.splits_batches

    def test_only_the_message_that_is_too_large_is_refused_if_batches_are_small(
        self, client, new_topic, reader, closed_at_once
    ):
        topic = new_topic(options={"max.message.bytes": "2000"})
        producer = closed_at_once(client.producer(**self.small_batches))
        values = [bytes(50_000 if number == 40 else 100) for number in range(100)]
        delivery = producer.send(topic, [None] * 100, values, [0] * 100)

        assert delivery.wait(20)
        assert {index: type(error) for index, error in delivery.failures.items()} == {40: TooLarge}
        assert len(read_all(reader, topic)) == 99

    def test_messages_too_large_for_the_client_itself_are_refused_and_the_others_are_sent(
        self, new_topic, producer, reader
    ):
        topic = new_topic()
        delivery = producer.send(topic, [b"k"] * 3, [b"small", bytes(5_000_000), b"also small"], [0] * 3)

        assert delivery.wait(20)
        assert {index: type(error) for index, error in delivery.failures.items()} == {1: TooLarge}
        assert [message.value for message in read_all(reader, topic)] == [b"small", b"also small"]

    def test_a_failure_says_its_reason_and_whether_sending_the_message_again_may_help(self, new_topic, producer):
        delivery = producer.send(new_topic(options=LIMIT), [None], [bytes(300_000)], [0])

        assert delivery.wait(20)
        error = delivery.failures[0]
        assert error.too_large
        assert isinstance(error, Refused)
        assert not isinstance(error, Unavailable)
        assert str(error)

    def test_a_flush_waits_for_everything_that_was_sent(self, new_topic, producer):
        topic = new_topic()
        assert producer.flush(1)  # nothing is under way
        deliveries = [producer.send(topic, [None] * 1000, [b"v"] * 1000, [0] * 1000) for _ in range(5)]

        assert producer.flush(20)
        assert all(delivery.done for delivery in deliveries)

    def test_a_producer_knows_how_many_partitions_a_topic_has(self, new_topic, producer):
        assert producer.partitions(new_topic(partitions=7)) == 7

    def test_many_threads_use_one_producer(self, new_topic, producer, reader):
        topic = new_topic(partitions=4)
        threads = [
            threading.Thread(target=lambda at=at: send_numbers(producer, topic, range(at, at + 500), 4))
            for at in range(0, 2000, 500)
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(30)

        assert sorted(numbers(read_all(reader, topic))) == list(range(2000))

    def test_closing_a_producer_waits_for_the_messages_under_way(self, client, new_topic, reader):
        topic = new_topic()
        producer = client.producer()
        delivery = producer.send(topic, [None] * 100, [b"v"] * 100, [0] * 100)
        producer.close(20)

        assert delivery.done
        assert all(delivery.acknowledged)
        assert len(read_all(reader, topic)) == 100

    def test_a_closed_producer_takes_no_messages(self, client, new_topic):
        topic = new_topic()
        producer = client.producer()
        producer.partitions(topic)
        producer.close(5)

        with pytest.raises(Unavailable):
            producer.send(topic, [None], [b"v"], [0])

    def test_a_delivery_says_which_messages_the_client_did_not_take(self, new_topic, producer, reader):
        topic = new_topic()
        delivery = producer.send(topic, [None] * 5, [b"v"] * 5, [0, 0, 99, 0, 0])  # there is no partition 99

        assert delivery.wait(20)
        assert list(delivery.acknowledged)[:3] == [True, True, False]
        assert set(delivery.failures) == {index for index, stored in enumerate(delivery.acknowledged) if not stored}
        assert {type(error) for error in delivery.failures.values()} == {Unavailable}
        assert len(read_all(reader, topic)) == sum(delivery.acknowledged)

    @pytest.mark.parametrize("seconds", [0, 5])
    def test_closing_twice_does_no_harm(self, client, seconds):
        producer = client.producer()
        producer.close(seconds)
        producer.close(seconds)
