"""The contract of a consumer that is alone in its group: positions, commits, pauses."""

import time

import pytest

from messaging.clients.protocols import Given, Partition, Taken
from tests.clients.kit import messages_of, numbers, poll_until_given, receive, send_numbers, until


class ConsumerContract:
    def test_a_consumer_gets_all_partitions_and_then_all_their_messages(self, new_topic, producer, join):
        topic = new_topic(partitions=2)
        send_numbers(producer, topic, range(100), partitions=2)
        consumer = join(topic)
        polled = []
        until(lambda: polled.append(consumer.poll(0.1)) or sum(len(messages_of(each)) for each in polled) == 100)

        *early, last = [change for each in polled for change in each.changes]
        assert last == Given(frozenset({Partition(topic, 0), Partition(topic, 1)}))
        assert set(early) <= {Given(frozenset())}  # the group may not know the topic yet when the consumer joins
        messages = [message for each in polled for message in messages_of(each)]
        for partition in range(2):
            mine = [message for message in messages if message.partition == partition]
            assert [message.offset for message in mine] == list(range(50))
            assert numbers(mine) == list(range(partition, 100, 2))

    def test_a_consumer_receives_messages_of_several_topics(self, new_topic, producer, join):
        topics = [new_topic(), new_topic()]
        for topic in topics:
            send_numbers(producer, topic, range(10))
        consumer = join(*topics)
        counts = dict.fromkeys(topics, 0)

        def poll() -> bool:
            for fetched in consumer.poll(0.1).fetched:
                counts[fetched.topic] += len(fetched)
            return sum(counts.values()) == 20

        until(poll)
        assert set(counts.values()) == {10}

    @pytest.mark.parametrize("compression", ["gzip", "lz4", "snappy", "zstd"])
    def test_compressed_messages_are_received(self, client, new_topic, join, closed_at_once, compression):
        topic = new_topic()
        send_numbers(closed_at_once(client.producer(compression_type=compression)), topic, range(100))

        assert numbers(receive(join(topic), 100)) == list(range(100))

    def test_only_uncommitted_messages_come_again(self, new_topic, producer, join):
        # Given a consumer that has received 100 messages and committed 40
        partition = Partition(new_topic(), 0)
        send_numbers(producer, partition.topic, range(100))
        first = join(partition.topic)
        receive(first, 100)
        first.commit({partition: 40}, 10)

        # When it leaves and another one joins
        first.close()
        second = join(partition.topic)

        # Then the messages that were not committed come again
        assert numbers(receive(second, 60)) == list(range(40, 100))

    def test_leaving_a_group_commits_nothing(self, new_topic, producer, join, reader, group):
        topic = new_topic()
        send_numbers(producer, topic, range(10))
        consumer = join(topic)
        receive(consumer, 10)
        consumer.close()

        assert reader.committed(group, reader.partitions(topic)) == {Partition(topic, 0): 0}

    def test_a_commit_is_confirmed_when_it_returns(self, new_topic, join, reader, group):
        partition = Partition(new_topic(), 0)
        consumer = join(partition.topic)
        poll_until_given(consumer)
        assert consumer.confirmed == {}
        consumer.commit({partition: 7}, 10)

        assert consumer.confirmed == {partition: 7}
        assert reader.committed(group, [partition]) == {partition: 7}

    def test_a_commit_that_goes_on_in_the_background_is_confirmed_by_later_polls(self, new_topic, join, reader, group):
        topic = new_topic(partitions=2)
        offsets = {Partition(topic, 0): 7, Partition(topic, 1): 9}
        consumer = join(topic)
        poll_until_given(consumer)
        consumer.commit_soon({Partition(topic, 0): 3})
        consumer.commit_soon(offsets)

        until(lambda: consumer.poll(0.05) and consumer.confirmed == offsets)
        assert reader.committed(group, list(offsets)) == offsets

    def test_the_next_poll_after_a_seek_continues_at_the_offset_of_the_seek(self, new_topic, producer, join):
        # Given a consumer whose library has fetched more messages than its polls have returned
        partition = Partition(new_topic(), 0)
        send_numbers(producer, partition.topic, range(1000))
        consumer = join(partition.topic, **self.small_polls)
        receive(consumer, 10)

        # Then it continues at the offset of each seek, forwards and backwards
        for offset in 3, 500, 990, 0:
            consumer.seek(partition, offset)
            assert numbers(receive(consumer, 10))[:10] == list(range(offset, offset + 10))

    def test_polls_during_a_pause_return_no_messages_and_none_is_lost_or_repeated(self, new_topic, producer, join):
        # Given a consumer whose library has fetched more messages than its polls have returned
        topic = new_topic(partitions=3)
        send_numbers(producer, topic, range(3000), partitions=3)
        consumer = join(topic, **self.small_polls)
        messages = receive(consumer, 30)

        # When it is paused and resumed several times, with and without polls in between
        for polls in 0, 1, 5, 0, 2:
            consumer.pause()
            for _ in range(polls):
                assert messages_of(consumer.poll(0.05)) == []
            consumer.resume()
            messages += receive(consumer, 30)
        messages += receive(consumer, 3000 - len(messages))

        # Then every message has come once, in the order of its partition
        assert sorted(numbers(messages)) == list(range(3000))
        for partition in range(3):
            offsets = [message.offset for message in messages if message.partition == partition]
            assert offsets == list(range(1000))

    def test_messages_sent_during_a_pause_come_after_it(self, new_topic, producer, join):
        topic = new_topic()
        consumer = join(topic)
        poll_until_given(consumer)
        consumer.pause()
        send_numbers(producer, topic, range(50))
        for _ in range(3):
            assert messages_of(consumer.poll(0.1)) == []
        consumer.resume()

        assert numbers(receive(consumer, 50)) == list(range(50))

    def test_a_second_pause_or_resume_changes_nothing(self, new_topic, producer, join):
        topic = new_topic()
        send_numbers(producer, topic, range(50))
        consumer = join(topic)
        assert len(receive(consumer, 50)) == 50
        consumer.pause()
        consumer.pause()
        send_numbers(producer, topic, range(50, 60))
        assert messages_of(consumer.poll(0.1)) == []
        consumer.resume()
        consumer.resume()

        assert numbers(receive(consumer, 10)) == list(range(50, 60))

    def test_a_commit_is_possible_during_a_pause(self, new_topic, producer, join):
        partition = Partition(new_topic(), 0)
        send_numbers(producer, partition.topic, range(10))
        consumer = join(partition.topic)
        receive(consumer, 10)
        consumer.pause()
        consumer.commit({partition: 4}, 10)
        consumer.commit_soon({partition: 10})

        until(lambda: not consumer.poll(0.05).fetched and consumer.confirmed == {partition: 10})

    def test_polls_during_a_pause_keep_the_membership(self, client, new_topic, producer, join, group, closed):
        # Given a group that soon removes a member that does not poll
        seconds = self.short_membership["max_poll_interval_ms"] / 1000
        topic = new_topic()
        consumer = join(topic, **self.short_membership)
        poll_until_given(consumer)
        assert 0 < consumer.keep_alive_seconds <= seconds / 2

        # When the consumer is paused for twice max_poll_interval_ms, and polls every keep_alive_seconds
        consumer.pause()
        changes = []
        over = time.monotonic() + 2 * seconds
        while time.monotonic() < over:
            changes += consumer.poll(0).changes
            time.sleep(consumer.keep_alive_seconds)

        # Then it is still a member, and receives messages after the pause
        assert not [change for change in changes if isinstance(change, Taken)]
        assert closed(client.admin()).group_states([group]) == {group: "Stable"}
        consumer.resume()
        send_numbers(producer, topic, range(10))
        assert numbers(receive(consumer, 10)) == list(range(10))

    @pytest.mark.parametrize("joined", [True, False])
    def test_closing_a_consumer_twice_does_no_harm(self, new_topic, join, joined):
        consumer = join(new_topic())
        if joined:
            poll_until_given(consumer)
        consumer.close()
        consumer.close()
