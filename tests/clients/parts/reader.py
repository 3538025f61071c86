"""The contract of a reader: it reads given partitions from given offsets, and knows where each partition ends."""

import time

import pytest

from messaging.clients.errors import Unavailable
from messaging.clients.protocols import Partition
from tests.clients.kit import messages_of, numbers, read_all, receive, send_numbers, until


class ReaderContract:
    def test_a_partition_has_a_beginning_and_an_end(self, new_topic, producer, reader):
        topic = new_topic(partitions=2)
        partitions = [Partition(topic, 0), Partition(topic, 1)]
        assert reader.beginnings(partitions) == reader.ends(partitions) == dict.fromkeys(partitions, 0)

        send_numbers(producer, topic, range(5), partitions=2)
        assert reader.beginnings(partitions) == dict.fromkeys(partitions, 0)
        assert reader.ends(partitions) == {partitions[0]: 3, partitions[1]: 2}

    def test_a_topic_has_its_partitions_in_order_and_an_unknown_topic_has_none(self, new_topic, reader):
        topic = new_topic(partitions=3)

        assert reader.partitions(topic) == [Partition(topic, number) for number in range(3)]
        assert list(reader.partitions(f"no-{topic}")) == []

    def test_a_topic_that_is_created_later_is_found(self, new_topic, reader):
        assert list(reader.partitions("contract-not-yet")) == []
        topic = new_topic(partitions=2)
        assert len(reader.partitions(topic)) == 2

    def test_a_reader_returns_no_offsets_if_it_is_asked_for_no_partitions(self, reader):
        assert reader.ends([]) == reader.beginnings([]) == reader.offsets_at([], 0) == {}

    def test_a_question_for_the_ends_of_an_unknown_partition_raises_unavailable(self, new_topic, reader):
        missing = Partition(new_topic(), 9)

        with pytest.raises(Unavailable):
            reader.ends([missing])
        with pytest.raises(Unavailable):
            reader.beginnings([Partition(f"no-{missing.topic}", 0)])

    def test_a_reader_reads_each_partition_from_a_given_offset_on(self, new_topic, producer, reader):
        # Given ten messages in each of two partitions
        topic = new_topic(partitions=2)
        send_numbers(producer, topic, range(20), partitions=2)

        # When they are read from the offsets 4 and 9 on
        reader.assign({Partition(topic, 0): 4, Partition(topic, 1): 9})
        messages = receive(reader, 7)

        # Then the reader returns the messages from these offsets on, in the order of each partition
        assert sorted(message[:2] for message in messages) == [*((0, offset) for offset in range(4, 10)), (1, 9)]
        assert numbers(message for message in messages if message.partition == 0) == [8, 10, 12, 14, 16, 18]

    def test_a_poll_returns_columns_of_equal_length_and_the_next_offset_of_each_partition(
        self, new_topic, producer, reader
    ):
        topic = new_topic(partitions=2)
        send_numbers(producer, topic, range(6), partitions=2)
        reader.assign({Partition(topic, 0): 0, Partition(topic, 1): 0})
        fetched = []
        until(lambda: fetched.extend(reader.poll(0.1).fetched) or sum(map(len, fetched)) == 6)

        next_offsets = {}
        for each in fetched:
            columns = each.partitions, each.offsets, each.keys, each.values
            assert {len(column) for column in columns} == {len(each)}
            assert each.topic == topic
            assert each.seconds >= 0
            last = dict(zip(each.partitions, each.offsets, strict=True))  # the last offset of each partition
            assert each.next_offsets == {Partition(topic, number): offset + 1 for number, offset in last.items()}
            next_offsets |= each.next_offsets
        assert next_offsets == {Partition(topic, 0): 3, Partition(topic, 1): 3}

    def test_messages_of_two_topics_come_separately(self, new_topic, producer, reader):
        topics = [new_topic(), new_topic()]
        for number, topic in enumerate(topics):
            send_numbers(producer, topic, range(10 * number, 10 * number + 10))
        reader.assign({Partition(topic, 0): 0 for topic in topics})
        values = {topic: [] for topic in topics}

        def poll() -> bool:
            for fetched in reader.poll(0.1).fetched:
                values[fetched.topic] += map(int, fetched.values)
            return sum(map(len, values.values())) == 20

        until(poll)
        assert list(values.values()) == [list(range(10)), list(range(10, 20))]

    def test_the_position_of_a_reader_is_the_offset_of_the_next_message(self, new_topic, producer, reader):
        partition = Partition(new_topic(), 0)
        send_numbers(producer, partition.topic, range(10))
        reader.assign({partition: 3})

        assert reader.position(partition) == 3
        receive(reader, 7)
        assert reader.position(partition) == 10

    def test_a_reader_goes_on_with_messages_that_come_later(self, new_topic, producer, reader):
        topic = new_topic()
        reader.assign({Partition(topic, 0): 0})
        assert messages_of(reader.poll(0.1)) == []
        for start in 0, 10, 20:
            send_numbers(producer, topic, range(start, start + 10))
            assert numbers(receive(reader, 10)) == list(range(start, start + 10))

    def test_a_reader_can_be_assigned_other_partitions_later(self, new_topic, producer, reader):
        first, second = new_topic(), new_topic()
        send_numbers(producer, first, range(1000))
        send_numbers(producer, second, range(5))
        assert len(read_all(reader, first)) == 1000

        assert numbers(read_all(reader, second)) == list(range(5))
        assert len(read_all(reader, first)) == 1000

    def test_small_and_large_messages_come_as_they_were_sent(self, new_topic, producer, reader):
        topic = new_topic()
        values = [bytes([number % 256]) * size for number, size in enumerate([1, 900_000, 130_000, 2] * 5)]
        assert producer.send(topic, [None] * 20, values, [0] * 20).wait(20)

        assert [message.value for message in read_all(reader, topic)] == values

    def test_a_poll_without_messages_ends_in_time(self, new_topic, reader):
        reader.assign({Partition(new_topic(), 0): 0})
        reader.poll(1)
        started = time.monotonic()

        assert messages_of(reader.poll(0.5)) == []
        assert 0.3 < time.monotonic() - started < 3

    def test_offsets_are_found_by_time(self, new_topic, producer, reader):
        # Given three messages, a time after them, and three messages after that time
        partition = Partition(new_topic(), 0)
        send_numbers(producer, partition.topic, range(3))
        between = time.time_ns() // 1_000_000 + 1
        until(lambda: time.time_ns() // 1_000_000 > between)
        send_numbers(producer, partition.topic, range(3))

        # Then the reader returns the offset of the first message at or after each time
        # If there is no such message, it returns the end of the partition
        assert reader.offsets_at([partition], 0) == {partition: 0}
        assert reader.offsets_at([partition], between) == {partition: 3}
        assert reader.offsets_at([partition], between + 3_600_000) == {partition: 6}

    def test_the_committed_offset_of_a_group_without_commits_is_zero(self, new_topic, reader, group):
        topic = new_topic(partitions=2)

        assert reader.committed(group, reader.partitions(topic)) == {Partition(topic, 0): 0, Partition(topic, 1): 0}
