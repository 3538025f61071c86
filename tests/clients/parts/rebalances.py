"""The contract of a group with several members: polls return changes, and committed messages do not come again."""

import pytest

from messaging.clients.protocols import Given, Partition, Taken
from tests.clients.kit import Member, numbers, send_numbers, until


class RebalanceContract:
    @pytest.fixture
    def member(self, join):
        """Lets members join the group."""
        members = []

        def member(*topics: str, commits: bool = True, **options: object) -> Member:
            members.append(Member(lambda: join(*topics, **self.quick_rebalances, **options), commits))
            return members[-1]

        yield member
        for each in members:
            each.leave()

    @pytest.fixture
    def topic(self, new_topic):
        """A topic with four partitions."""
        return new_topic(partitions=4)

    def test_a_member_is_told_which_partitions_it_loses_and_which_it_gets_if_another_member_joins(self, topic, member):
        # Given a member that has all partitions
        first = member(topic)
        until(lambda: len(first.partitions) == 4)

        # When a second one joins
        second = member(topic)
        until(lambda: len(first.partitions) == len(second.partitions) == 2)

        # Then polls told the first one which partitions were taken, and afterwards which ones it has now
        everything = frozenset(Partition(topic, number) for number in range(4))
        *_, taken, given = first.changes
        assert isinstance(taken, Taken)
        assert everything - first.partitions <= taken.partitions <= everything
        assert given == Given(first.partitions)
        assert first.partitions | second.partitions == everything

    def test_offsets_of_taken_partitions_can_be_committed_before_the_next_poll(
        self, topic, producer, member, reader, group
    ):
        # Given a member that has received everything, and commits only when partitions are taken from it
        send_numbers(producer, topic, range(400), partitions=4)
        first = member(topic)
        until(lambda: len(first.received) == 400)
        assert set(reader.committed(group, reader.partitions(topic)).values()) == {0}

        # When a second one joins
        second = member(topic)
        until(lambda: len(second.partitions) == 2)

        # Then the second one starts where the first one stopped
        send_numbers(producer, topic, range(400, 480), partitions=4)
        until(lambda: len(first.received) + len(second.received) >= 480)
        assert sorted(numbers(first.received + second.received)) == list(range(480))
        assert len(second.received) == 40
        assert first.unavailable == second.unavailable == []

    def test_what_was_not_committed_comes_again_to_the_new_owner(self, topic, producer, member):
        send_numbers(producer, topic, range(400), partitions=4)
        first = member(topic, commits=False)
        until(lambda: len(first.received) == 400)
        second = member(topic, commits=False)
        until(lambda: len(second.received) == 200)

        assert set(numbers(second.received)) <= set(range(400))

    def test_a_member_that_leaves_gives_its_partitions_to_the_others(self, topic, producer, member):
        first, second = member(topic), member(topic)
        until(lambda: len(first.partitions) == len(second.partitions) == 2)
        second.leave()

        until(lambda: len(first.partitions) == 4)
        send_numbers(producer, topic, range(40), partitions=4)
        until(lambda: len(first.received) == 40)

    def test_a_member_is_told_if_it_gets_no_partition(self, new_topic, member):
        topic = new_topic()
        first, second = member(topic), member(topic)

        until(lambda: first.changes and second.changes and len(first.partitions | second.partitions) == 1)
        assert first.partitions.isdisjoint(second.partitions)

    def test_a_rebalance_clears_the_confirmed_offsets(self, topic, member):
        # Given a member with a confirmed commit
        first = member(topic)
        until(lambda: len(first.partitions) == 4)
        seen = []
        first.call(lambda consumer: consumer.commit({Partition(topic, 0): 0}, 10))
        first.call(lambda consumer: seen.append(dict(consumer.confirmed)))
        assert seen == [{Partition(topic, 0): 0}]

        # When a second one joins
        second = member(topic)
        until(lambda: len(first.partitions) == len(second.partitions) == 2)

        # Then nothing is confirmed, because others may have committed meanwhile
        first.call(lambda consumer: seen.append(dict(consumer.confirmed)))
        assert seen[-1] == {}

    def test_a_paused_member_stays_paused_and_takes_part_in_a_rebalance(self, topic, producer, member):
        # Given a paused member, and messages that it has not received
        first = member(topic)
        until(lambda: len(first.partitions) == 4)
        first.call(lambda consumer: consumer.pause())
        send_numbers(producer, topic, range(400), partitions=4)

        # When a second one joins
        second = member(topic)
        until(lambda: len(first.partitions) == 2 and len(second.received) == 200)

        # Then the first one gets its half after the pause
        assert first.received == []
        first.call(lambda consumer: consumer.resume())
        until(lambda: len(first.received) == 200)
        assert sorted(numbers(first.received + second.received)) == list(range(400))

    def test_nothing_is_lost_or_repeated_while_members_join_and_leave(self, topic, producer, member):
        # Given messages that keep coming
        members = [member(topic, **self.small_polls)]
        for round_ in range(6):
            send_numbers(producer, topic, range(500 * round_, 500 * round_ + 500), partitions=4)
            # When members join and leave meanwhile
            if round_ % 2:
                members[-1].leave()
            else:
                members.append(member(topic, **self.small_polls))
                until(lambda: members[-1].changes)

        # Then each message is received once
        def received() -> list[int]:
            return [number for each in members for number in numbers(each.received)]

        until(lambda: len(received()) >= 3000, 40)
        assert sorted(received()) == list(range(3000))
        assert [each.unavailable for each in members] == [[]] * len(members)
