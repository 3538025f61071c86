"""The offsets where a consumer continues after an abort, and the end offsets that it may commit."""

from messaging.delivery.exactly_once.positions import Positions
from tests.unit.service import P0, P1, fetched


def positions() -> Positions:
    """Return the positions of a consumer that has reached the ends of P0 and P1. Messages came only from P0."""
    made = Positions()
    made.note(fetched(range(5, 10)).fetched[0])
    made.reach({P0: 12, P1: 7})
    return made


def test_partitions_with_messages_are_read_again_after_an_abort():
    assert positions().read_again() == {P0: 5}


def test_the_end_of_a_partition_can_be_committed_after_an_abort_if_the_partition_is_not_read_again():
    made = positions()
    made.read_again()

    assert made.uncommitted_ends() == {P1: 7}


def test_ends_of_partitions_that_were_taken_away_are_not_committed():
    made = positions()
    made.take([P0, P1])

    assert made.uncommitted_ends() == {}
