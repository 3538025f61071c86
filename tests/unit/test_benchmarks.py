"""The logic of the benchmarks: ratios, drains, CPU time, tables and versions. No benchmark runs here."""

import os
import signal
import subprocess
import sys
import time

import pytest

from benchmarks import BenchmarkError
from benchmarks.comparison.ratios import Comparison
from benchmarks.comparison.versions import checked_out
from benchmarks.drain import drain
from benchmarks.table import table
from benchmarks.usage import cpu_seconds
from local import ROOT

ROUNDS = [100.0, 104.0, 98.0, 101.0, 99.0, 103.0, 97.0]


def test_a_higher_rate_is_better():
    comparison = Comparison("rate", ROUNDS, [2 * rate for rate in ROUNDS])

    assert comparison.ratio == 2
    assert comparison.interval == (2, 2)
    assert not comparison.is_worse


def test_a_longer_time_is_worse():
    comparison = Comparison("time", ROUNDS, [2 * seconds for seconds in ROUNDS], less_is_better=True)

    assert comparison.ratio == 0.5
    assert comparison.is_worse


def test_a_version_that_differs_by_noise_alone_is_not_worse():
    comparison = Comparison("rate", ROUNDS, ROUNDS[::-1])

    assert comparison.interval[0] < 1 < comparison.interval[1]
    assert not comparison.is_worse


def test_noise_that_hits_both_versions_in_a_round_does_not_widen_the_interval():
    noisy = [100.0, 20.0, 300.0, 50.0, 80.0]

    least, most = Comparison("rate", noisy, [0.9 * rate for rate in noisy]).interval

    assert (least, most) == pytest.approx((0.9, 0.9))


def test_the_interval_of_the_same_rounds_is_always_the_same():
    comparison = Comparison("rate", ROUNDS, ROUNDS[::-1])

    assert comparison.interval == comparison.interval


def test_the_rate_of_a_drain_is_measured_from_the_first_decrease():
    left = iter([1000, 1000, 600, 200, 0])
    seen = []

    def look() -> int:
        seen.append(time.perf_counter())
        return next(left)

    drained = drain(look)

    assert drained.messages == 600
    assert drained.seconds == pytest.approx(seen[4] - seen[2], abs=0.01)


def test_the_cpu_time_of_a_process_agrees_with_python():
    before = cpu_seconds(os.getpid())
    while time.process_time() < 0.05 + before:
        pass

    assert cpu_seconds(os.getpid()) == pytest.approx(time.process_time(), abs=0.05)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_the_first_signal_ends_a_benchmark_and_the_clean_up_ignores_the_next_ones(number):
    code = (
        "import os, signal; from benchmarks.processes import exit_on_signals\n"
        f"for number in 1, 2, 15: signal.signal(number, signal.SIG_DFL)\n"
        f"exit_on_signals()\n"
        f"try: os.kill(os.getpid(), {int(number)})\n"
        "finally:\n"
        "    for number in 1, 2, 15: os.kill(os.getpid(), number)\n"
        "    print('cleaned up')\n"
    )
    command = [sys.executable, "-W", "ignore", "-c", code]
    ended = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=30, check=False)

    assert (ended.returncode, ended.stdout, ended.stderr) == (128 + number, "cleaned up\n", "")


def test_a_table_aligns_names_to_the_left_and_figures_to_the_right():
    assert table([("", "msg/s"), ("a", "1"), ("long", "1,000")]) == ["      msg/s", "a         1", "long  1,000"]


def test_the_error_names_a_revision_that_does_not_exist():
    with (
        pytest.raises(BenchmarkError, match="no-such-revision is not a commit of this repository"),
        checked_out("no-such-revision"),
    ):
        pass


@pytest.mark.parametrize(
    ("arguments", "problem"),
    [
        (("no-such",), "unknown workload: no-such"),
        (("compare", "HEAD", "--rounds", "0"), "must be a whole number from 1, not '0'"),
        (("compare",), "required: REV"),
        (("sending", "--json", "/no/such/folder/file"), "cannot be written: No such file or directory"),
    ],
)
def test_a_wrong_command_line_is_refused_before_anything_starts(arguments, problem):
    process = subprocess.run(
        [sys.executable, "-m", "benchmarks", *arguments], capture_output=True, text=True, check=False
    )

    assert process.returncode == 2
    assert problem in process.stderr
