"""Confirmed commits: the newest one of each partition counts, regardless of the order of the callbacks."""

from messaging.clients.confirmed import Confirmed
from messaging.clients.protocols import Partition

P0, P1 = Partition("pong", 0), Partition("pong", 1)


def test_the_newest_commit_of_each_partition_counts_even_if_it_is_confirmed_first():
    confirmed = Confirmed()
    first, second, third = (confirmed.next_commit() for _ in range(3))
    confirmed.add(third, {P0: 30})
    confirmed.add(second, {P0: 20, P1: 2})
    confirmed.add(first, {P0: 10, P1: 1})

    assert confirmed.offsets == {P0: 30, P1: 2}


def test_a_newer_commit_may_have_a_lower_offset():
    confirmed = Confirmed()
    confirmed.add(confirmed.next_commit(), {P0: 30})
    confirmed.add(confirmed.next_commit(), {P0: 10})

    assert confirmed.offsets == {P0: 10}


def test_commits_from_before_a_rebalance_do_not_count_even_if_they_are_confirmed_after_it():
    confirmed = Confirmed()
    early, late = confirmed.next_commit(), confirmed.next_commit()
    confirmed.add(early, {P0: 10})
    confirmed.forget()
    confirmed.add(late, {P0: 20})
    assert confirmed.offsets == {}

    confirmed.add(confirmed.next_commit(), {P0: 5})
    assert confirmed.offsets == {P0: 5}


def test_a_failed_commit_is_not_logged_if_the_commit_before_it_failed_for_the_same_reason(caplog):
    confirmed = Confirmed()
    for reason in ("not ready", "not ready", "timed out", "timed out"):
        confirmed.refused(reason)
    confirmed.add(confirmed.next_commit(), {P0: 10})
    confirmed.refused("timed out")

    assert [record.args for record in caplog.records] == [("not ready",), ("timed out",), ("timed out",)]
