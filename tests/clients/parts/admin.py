"""The contract of an admin: topics, groups and brokers of the cluster."""

import uuid

import pytest

from messaging.clients.errors import TooFewBrokers, Unavailable
from messaging.clients.protocols import Partition, Topic
from tests.clients.kit import answer, numbers, poll_until_given, receive, send_numbers, until, within


class AdminContract:
    @pytest.fixture
    def admin(self, client, closed):
        return closed(client.admin())

    @pytest.fixture
    def name(self, new_topic):
        """The name of a topic that does not exist."""
        new_topic()  # waits until Kafka can create topics, because an earlier test may have frozen Kafka
        return f"contract-{uuid.uuid4().hex[:8]}"

    def test_a_topic_is_created_once_and_then_left_as_it_is(self, admin, reader, name):
        assert admin.create(Topic(name, 3, 1))
        assert not admin.create(Topic(name, 5, 1))

        assert len(reader.partitions(name)) == 3

    def test_a_topic_with_more_replicas_than_brokers_is_refused(self, admin, reader, name):
        with pytest.raises(TooFewBrokers, match="REPLICATION_FACTOR is 3, but fewer Kafka brokers are running"):
            admin.create(Topic(name, 1, 3))

        assert list(reader.partitions(name)) == []

    def test_an_existing_topic_is_left_as_it_is_even_if_the_call_asks_for_more_replicas_than_brokers(self, admin, name):
        assert admin.create(Topic(name, 1, 1))
        assert not admin.create(Topic(name, 1, 3))

    def test_a_topic_that_is_deleted_can_be_created_again(self, admin, reader, name):
        admin.delete(name)  # it does not exist, so nothing happens
        admin.create(Topic(name, 3, 1))
        admin.delete(name)

        until(lambda: answer(lambda: admin.create(Topic(name, 2, 1))))
        until(lambda: len(reader.partitions(name)) == 2)

    def test_offsets_of_a_group_without_members_can_be_set(self, admin, reader, producer, join, group, new_topic):
        partitions = [Partition(new_topic(), 0), Partition(new_topic(), 0)]
        for partition in partitions:
            send_numbers(producer, partition.topic, range(10))
        admin.set_offsets(group, {partitions[0]: 7, partitions[1]: 0})
        assert reader.committed(group, partitions) == {partitions[0]: 7, partitions[1]: 0}

        assert numbers(receive(join(partitions[0].topic), 3)) == [7, 8, 9]

    def test_offsets_of_a_group_with_members_cannot_be_set(self, admin, reader, join, group, new_topic):
        partition = Partition(new_topic(), 0)
        poll_until_given(join(partition.topic))

        with pytest.raises(Unavailable):
            admin.set_offsets(group, {partition: 7})
        assert reader.committed(group, [partition]) == {partition: 0}

    def test_the_state_of_a_group_says_if_it_has_members(self, admin, join, group, new_topic):
        assert admin.group_states([group]) == {group: "Dead"}

        consumer = join(new_topic())
        poll_until_given(consumer)
        until(lambda: admin.group_states([group]) == {group: "Stable"})

        consumer.close()
        until(lambda: admin.group_states([group])[group] in ("Empty", "Dead"))

    def test_a_cluster_says_which_brokers_it_has_and_which_of_them_leads_each_partition(self, admin, new_topic):
        topic = new_topic(partitions=3)
        until(lambda: Partition(topic, 2) in admin.cluster().leaders)
        cluster = admin.cluster()

        [broker] = cluster.brokers
        assert {cluster.leaders[Partition(topic, number)] for number in range(3)} == {broker}

    def test_a_broker_says_how_many_bytes_of_each_partition_are_on_its_disks(self, admin, producer, new_topic):
        topic = new_topic(partitions=2)
        [broker] = admin.cluster().brokers
        until(lambda: admin.log_bytes(broker).get(Partition(topic, 1)) == 0)

        producer.send(topic, [None] * 10, [bytes(1000)] * 10, [1] * 10).wait(20)
        sizes = admin.log_bytes(broker)
        assert sizes[Partition(topic, 0)] == 0
        assert 10_000 <= sizes[Partition(topic, 1)] < 12_000

    def test_a_question_to_an_unknown_broker_fails_in_time(self, client, closed):
        admin = closed(client.admin(1))

        with within(5), pytest.raises(Unavailable):
            admin.log_bytes(4711)

    def test_one_call_returns_the_states_of_several_groups(self, admin, group):
        assert set(admin.group_states([group, f"{group}-2"])) == {group, f"{group}-2"}
