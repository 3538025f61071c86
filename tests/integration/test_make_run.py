"""`make run` in a separate folder.

Only one runner works at a time. It leaves no process behind. If it is killed, only the brokers stay.
"""

import os
import re
import shutil
import signal
import subprocess
import sys
import time
from contextlib import contextmanager
from pathlib import Path

import pytest
import requests

from local import ROOT
from local.brokers import Brokers
from local.ports import free_port
from tests.integration.processes import LoggedProcess, eventually

SERVICES = "ping", "pong", "api"
BROKERS = {"ZooKeeper": "QuorumPeerMain", "Kafka": "kafka.Kafka", "RabbitMQ": "beam.smp"}
"""A word in the command line of each broker."""


@pytest.fixture
def folder(tmp_path):
    """A folder with the files that `make run` needs. The brokers write their data there too."""
    if missing := Brokers.missing():
        pytest.skip(f"{', '.join(missing)} missing here. `make test` installs it and runs all tests.")
    for name in "api", "messaging", "ping", "pong":
        (tmp_path / name).symlink_to(ROOT / name)
    shutil.copytree(ROOT / "local", tmp_path / "local", ignore=shutil.ignore_patterns("data", "jars"))
    (tmp_path / "local/brokers/jars").symlink_to(ROOT / "local/brokers/jars")
    for name in ".env", "config.yml":
        shutil.copy(ROOT / name, tmp_path)
    yield tmp_path
    Brokers(tmp_path / "local/brokers/data").stop()


@contextmanager
def runner(folder: Path, log: str | None = "log", **settings: str):
    """Run `python -m local run`. If everything is installed, `make run` does nothing else."""
    ports = {name: str(free_port()) for name in ("API_PORT", "KAFKA_PORT", "RABBITMQ_PORT")}
    command = [sys.executable, "-m", "local", "run"]
    process = LoggedProcess(command, os.environ | ports | settings, folder / log if log else None, folder=folder)
    try:
        yield process
    finally:
        process.end(30)


def processes_of(folder: Path) -> dict[int, str]:
    """Return the command lines of the processes that work in this folder, by process id."""
    found = {}
    for process in Path("/proc").glob("[0-9]*"):
        try:
            if (process / "cwd").readlink().is_relative_to(folder) and (process / "stat").read_text().split()[2] != "Z":
                found[int(process.name)] = (process / "cmdline").read_text().replace("\0", " ")
        except OSError:
            pass  # the process has just ended
    return found


def services_of(folder: Path) -> dict[int, str]:
    names = "nameko", "gunicorn", "local run"
    return {pid: command for pid, command in processes_of(folder).items() if any(name in command for name in names)}


def pid_of(name: str, folder: Path) -> int | None:
    return next((pid for pid, command in processes_of(folder).items() if name in command), None)


def starts(name: str, process: LoggedProcess) -> list[str]:
    """Return the process ids that the runner printed for this service or broker.

    The runner prints the id of a service at every start, but the id of a broker only at a restart.
    """
    return re.findall(rf"^  {name}, process (\d+)$", process.log, re.MULTILINE)


def must_send_again(api: str) -> None:
    """Wait until the API is ready, and send messages."""
    eventually(
        lambda: requests.get(f"{api}/readyz", timeout=10).status_code == 200, 60, "the API does not become ready"
    )
    assert requests.get(f"{api}/ping/1000/100", timeout=60).status_code == 200


def end_of(process: LoggedProcess) -> int:
    return process.popen.wait(60)


@pytest.mark.skipif(sys.platform != "linux", reason="looks for processes in /proc")
def test_only_one_runner_works_at_a_time_and_leaves_no_process_behind(folder):
    with runner(folder) as first:
        eventually(lambda: "Ctrl-C ends everything" in first.log, 60, "the first messages are not sent")
        assert '"num_messages":1000,' in first.log

        with runner(folder, "second log") as second:
            assert end_of(second) == 1
            assert len(second.log.splitlines()) == 1, second.log
            assert "already runs in this folder" in second.log
        stop = [sys.executable, "-m", "local", "stop"]
        stopped = subprocess.run(stop, cwd=folder, capture_output=True, text=True, timeout=60)
        assert (stopped.returncode, "already runs in this folder" in stopped.stderr) == (1, True)
        assert first.running

        first.kill()
        eventually(lambda: not services_of(folder), 10, "services outlive the runner")

    with runner(folder) as next_one:
        eventually(lambda: "Ctrl-C ends everything" in next_one.log, 60, "the next runner does not get ready")
        next_one.popen.send_signal(signal.SIGINT)
        assert end_of(next_one) == 0
    assert not processes_of(folder)


@pytest.mark.skipif(sys.platform != "linux", reason="looks for processes in /proc")
def test_make_run_restarts_killed_services_and_brokers_until_ctrl_c(folder):
    port = free_port()
    with runner(folder, API_PORT=str(port)) as process:
        eventually(lambda: "Ctrl-C ends everything" in process.log, 60, "the first messages are not sent")
        for name in SERVICES:
            os.kill(int(starts(name, process)[0]), signal.SIGKILL)
        eventually(lambda: all(f"{name} ended by itself, by signal 9" in process.log for name in SERVICES))
        eventually(lambda: all(len(starts(name, process)) == 2 for name in SERVICES), what="not all start again")
        api = f"http://127.0.0.1:{port}"
        must_send_again(api)

        for name in BROKERS.values():
            os.kill(pid_of(name, folder), signal.SIGKILL)
        eventually(lambda: all(len(starts(name, process)) == 1 for name in BROKERS), 60, "not all brokers start again")
        must_send_again(api)

        pongs = starts("pong", process)
        os.kill(int(pongs[-1]), signal.SIGKILL)
        eventually(lambda: process.log.count("pong ended by itself") == len(pongs))
        process.popen.send_signal(signal.SIGINT)  # while pong waits for its next start
        began = time.monotonic()
        assert end_of(process) == 0
        assert time.monotonic() - began < 10
        assert starts("pong", process) == pongs
    assert not processes_of(folder)


@pytest.mark.skipif(sys.platform != "linux", reason="looks for processes in /proc")
def test_make_run_ends_everything_and_says_why_if_a_service_never_gets_ready(folder):
    with runner(folder, TOPIC_PARTITIONS="many") as process:
        assert end_of(process) == 1
    name, _, reason = process.log.splitlines()[-1].partition(" ended 3 times before it was ready")
    assert "TOPIC_PARTITIONS must be a whole number from 1 to 1000, not 'many'." in reason
    assert len(starts(name, process)) == 3
    assert not processes_of(folder)


@pytest.mark.skipif(sys.platform != "linux", reason="looks for processes in /proc")
@pytest.mark.parametrize("while_it_starts", ["kafka.Kafka", "config.yml ping"])
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_a_signal_during_the_start_of_make_run_ends_everything(folder, number, while_it_starts):
    with runner(folder) as process:
        eventually(lambda: pid_of(while_it_starts, folder))
        process.popen.send_signal(number)
        process.popen.send_signal(signal.SIGINT)  # an impatient user
        assert end_of(process) in (0, 130)  # two signals came at once, and each may be the first
    assert not processes_of(folder)
    assert "Traceback" not in process.log


@pytest.mark.skipif(sys.platform != "linux", reason="looks for processes in /proc")
def test_ctrl_c_ends_everything_even_if_the_reader_of_the_output_has_ended(folder):
    """In `make run | tee log`, Ctrl-C may end `tee` first."""
    with runner(folder, log=None) as process:
        assert any("Ctrl-C ends everything" in line for line in process.lines())
        process.popen.stdout.close()
        process.popen.send_signal(signal.SIGINT)
        assert end_of(process) == 0
    assert not processes_of(folder)
