"""The demo's own logic: when it kills which service, when it is over, and what it shows. No service runs here."""

import io
import json
from dataclasses import asdict
from uuid import UUID

import pytest
from rich.console import Console

from benchmarks import BenchmarkError
from benchmarks.designs.services import Progress
from client.verify.counting import Tally
from demo.bounce import QUIET_SECONDS, STALLED_SECONDS, bounce
from demo.designs import DESIGNS
from demo.result import Result
from demo.screen import Screen
from messaging.runs.payload import payloads

RUN = UUID(int=1)
SENT = 300


class FakeServices:
    """Services that answer 10 messages a second, up to `answers` in all. Only `sleep` moves their clock."""

    def __init__(self, answers: int = SENT):
        self.now = 100.0
        self._most = answers

    def send(self, messages: int) -> UUID:
        return RUN

    def answers(self) -> int:
        return min(self._most, int((self.now - 100) * 10))

    def progress(self) -> Progress:
        return Progress({"answered": self.answers()}, self.answers() == SENT)

    def kill_and_restart(self, name: str) -> None:
        pass

    def check(self) -> None:
        pass

    def sleep(self, seconds: float) -> None:
        self.now += seconds


class FakeWatcher:
    def __init__(self):
        self.kills: list[tuple[str, int]] = []
        self.shown: list[Progress] = []

    def progress(self, progress: Progress) -> None:
        self.shown.append(progress)

    def killed(self, service: str, answers: int) -> None:
        self.kills.append((service, answers))


def bounced(services: FakeServices, watcher: FakeWatcher):
    return bounce(services, services.answers, SENT, watcher, lambda: services.now, services.sleep)


def test_service_pong_is_killed_at_a_third_of_the_answers_and_service_ping_at_two_thirds():
    watcher = FakeWatcher()
    result = bounced(FakeServices(), watcher)

    assert [service for service, _ in watcher.kills] == ["pong", "ping"]
    assert [answers for _, answers in watcher.kills] == pytest.approx([100, 200], abs=2)
    assert (result.run, result.kills) == (RUN, 2)


def test_the_measured_time_ends_with_the_last_answer_and_not_after_the_quiet_seconds():
    services = FakeServices()
    result = bounced(services, FakeWatcher())

    assert result.seconds == pytest.approx(30, abs=0.3)
    assert services.now - 100 >= result.seconds + QUIET_SECONDS


def test_each_change_is_shown_once():
    watcher = FakeWatcher()
    bounced(FakeServices(), watcher)

    counts = [progress.stages["answered"] for progress in watcher.shown]
    assert counts == sorted(set(counts))
    assert counts[-1] == SENT


def test_the_demo_ends_if_nothing_changes_any_more():
    with pytest.raises(BenchmarkError, match=f"Nothing has changed for {STALLED_SECONDS} s: .*'answered': 150"):
        bounced(FakeServices(answers=150), FakeWatcher())


def tally(partitions: dict[int, list[int]]) -> Tally:
    """Return the tally of a topic with these messages."""
    counted = Tally(RUN, 10, 100)
    for partition, numbers in partitions.items():
        counted.add(partition, numbers, payloads(RUN.bytes, numbers, 100))
    return counted


def result() -> Result:
    tallies = {"pong": tally({0: [*range(10), 3]}), "ping": tally({0: [0, 2, 1, 2], 1: [5, 6, 7, 5, 8]})}
    return Result.of("textbook", "kafka-python", 10, tallies, 2, 4.0)


def test_a_row_has_the_counts_of_the_topics():
    row = result()

    assert (row.sent, row.lost) == (10, 3)  # 3, 4 and 9 have no answer
    assert row.twice == 1 + 2
    assert row.out_of_order == 1
    assert row.message_rate == 2.5


def test_the_json_has_the_members_that_were_promised():
    members = "design client sent lost twice out_of_order kills seconds message_rate"

    assert list(json.loads(json.dumps(asdict(result())))) == members.split()


def test_the_picture_shows_the_bars_and_the_kills_and_the_table(tmp_path):
    console = Console(file=io.StringIO(), width=80)
    screen = Screen(console)
    part = screen.begin(DESIGNS[0])
    part.progress(Progress({"sent": 30_000, "answered": 12_345}, False))
    part.killed("pong", 10_001)
    screen.finish([result()])
    screen.save(tmp_path / "demo.svg")
    console.print(screen)

    lines = console.file.getvalue().splitlines()
    assert lines[0].split() == ["textbook", "30,000", "messages,", "kafka-python"]
    assert (lines[2].split()[0], lines[2].split()[-1]) == ("answered", "12,345")
    assert "pong killed by SIGKILL at 10,001 answers" in lines[3]
    assert lines[-1].split() == ["textbook", "10", "3", "3", "1", "4.0", "2"]
    assert "<svg" in (tmp_path / "demo.svg").read_text()
