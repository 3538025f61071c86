"""The sending of a paced run: each message is sent when it is due. The clock is a fake, so the tests do not wait."""

from types import SimpleNamespace

import pytest
from pyroaring import BitMap

from messaging.runs.outcome import RunStopped
from messaging.runs.request import Request
from messaging.runs.schedule import LONGEST_SECONDS, Schedule
from messaging.runs.sending import Sending
from messaging.runs.stamp import unpack
from messaging.stopping import StopRequest
from tests.unit.api_fakes import RUN
from tests.unit.fakes import Delivery, Topic, WallClock

START = 1_700_000_000_000_000
SECOND = 1_000_000


class Out(Topic):
    """Notes when each block is sent. A send takes `takes_seconds`, and 5 s more if it contains message `stalls_at`."""

    def __init__(self, clock: WallClock, stalls_at: int | None = None, takes_seconds: float = 0, **options):
        super().__init__(**options)
        self.blocks: list[tuple[int, list[int]]] = []
        """The time when each block was sent, in microseconds after START, and the numbers of its messages."""
        self._clock = clock
        self._stalls_at = stalls_at
        self._takes = round(takes_seconds * SECOND)

    def send(self, keys, values, partitions) -> Delivery:
        numbers = [unpack(key)[1] for key in keys]
        self.blocks.append((self._clock.at - START, numbers))
        self._clock.at += self._takes + (5 * SECOND if self._stalls_at in numbers else 0)
        return super().send(keys, values, partitions)

    @property
    def stamped(self) -> list[tuple[int, int]]:
        """The number of each message, and the time in its stamp in microseconds after START."""
        return [(number, time - START) for _, number, time in (unpack(key) for key, _, _ in self.messages)]


@pytest.fixture
def clock():
    return WallClock(START)


def send(clock: WallClock, out: Out, count: int, rate: int, stop=None, sent_before=(), report=lambda _: None) -> None:
    request = Request(RUN, "ping", count, 5, created=0, rate=rate)
    schedule = Schedule(rate, START, clock)
    Sending(request, out, stop or StopRequest(), report, BitMap(sent_before), schedule).send()


def test_at_a_low_rate_each_message_is_sent_alone_when_it_is_due(clock):
    out = Out(clock)
    send(clock, out, 5, rate=2)

    assert out.blocks == [(number * SECOND // 2, [number]) for number in range(5)]
    assert out.stamped == [(number, number * SECOND // 2) for number in range(5)]


@pytest.mark.parametrize("rate", [1000, 50_000, 1_000_000])
def test_at_a_high_rate_due_messages_are_sent_together_and_at_most_2_ms_late(clock, rate):
    out = Out(clock)
    send(clock, out, 5000, rate)

    assert [number for number, _ in out.stamped] == list(range(5000))
    assert all(time == number * SECOND // rate for number, time in out.stamped)
    lateness = [at - number * SECOND // rate for at, numbers in out.blocks for number in numbers]
    assert 0 <= min(lateness) <= max(lateness) <= 2000
    assert len(out.blocks) <= 5000 / rate * 1000 * 1.2 + 5000 / 200  # about one per ms, and one per 200 messages


def test_late_messages_are_sent_together_after_a_stall_and_keep_their_due_times(clock):
    out = Out(clock, stalls_at=10)
    send(clock, out, 100, rate=10)

    assert out.stamped == [(number, number * SECOND // 10) for number in range(100)], "due times, in spite of the stall"
    assert out.blocks[11] == (6 * SECOND, [*range(11, 61)]), "all messages that were due in the meantime"
    assert out.blocks[12:] == [(number * SECOND // 10, [number]) for number in range(61, 100)]


def test_a_run_that_cannot_keep_its_rate_is_sent_as_fast_as_possible_in_blocks(clock):
    out = Out(clock, takes_seconds=0.01)
    send(clock, out, 2000, rate=1_000_000)

    assert [len(numbers) for _, numbers in out.blocks] == [1, 199, *[200] * 9]
    assert clock.naps == []


def test_each_block_of_consecutive_numbers_stays_in_one_partition(clock):
    blocks = {}
    out = Out(clock, partitions=3)
    send(clock, out, 2000, rate=7000)
    for key, _, partition in out.messages:
        blocks.setdefault(unpack(key)[1] // 200, set()).add(partition)

    assert all(len(partitions) == 1 for partitions in blocks.values())
    assert {partition for partitions in blocks.values() for partition in partitions} == {0, 1, 2}


def test_messages_sent_before_are_left_out_and_the_others_keep_their_due_times(clock):
    out = Out(clock)
    send(clock, out, 20, rate=10, sent_before=[*range(5), 7])

    assert out.stamped == [(number, number * SECOND // 10) for number in [5, 6, *range(8, 20)]]


def test_a_report_has_the_due_time_of_each_message(clock):
    reports = []
    clock.at += 3 * SECOND
    send(clock, Out(clock), 3, rate=1, report=reports.append)

    (report,) = reports
    assert report.sent_times == [START, START + SECOND, START + 2 * SECOND]


def test_a_stop_is_noticed_while_the_sending_waits_for_the_next_message(clock):
    stop = SimpleNamespace(asked=False, overdue=False)
    asked_at = START + 300_000

    def ask_to_stop():
        stop.asked = clock.at >= asked_at

    clock.on_sleep = ask_to_stop
    with pytest.raises(RunStopped, match="1 of 10 messages were sent"):
        send(clock, Out(clock), 10, rate=1, stop=stop)

    assert clock.at - asked_at <= LONGEST_SECONDS * SECOND


def test_acknowledged_messages_are_reported_while_the_sending_waits(clock):
    reports, seen = [], []
    clock.on_sleep = lambda: seen.append(len(reports))
    send(clock, Out(clock), 2, rate=1, report=reports.append)

    assert seen[0] == 1
