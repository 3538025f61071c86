"""Where a consumer goes on after an abort, and which ends may be committed."""

from messaging.delivery.exactly_once.positions import Positions
from tests.unit.service import P0, P1, fetched


def positions() -> Positions:
    """Both partitions have reached their ends. Messages came only from P0."""
    made = Positions()
    made.note(fetched(range(5, 10)).fetched[0])
    made.reach({P0: 12, P1: 7})
    return made


def test_after_an_abort_partitions_with_messages_are_read_again():
    assert positions().read_again() == {P0: 5}


def test_after_an_abort_the_ends_that_are_not_reached_again_may_still_be_committed():
    made = positions()
    made.read_again()

    assert made.uncommitted_ends() == {P1: 7}


def test_ends_of_partitions_that_were_taken_away_are_not_committed():
    made = positions()
    made.take([P0, P1])

    assert made.uncommitted_ends() == {}
