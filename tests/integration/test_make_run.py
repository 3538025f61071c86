"""`make run`, in a folder of its own: who may run, and that nothing is left of it however it ends."""

import os
import shutil
import signal
import subprocess
import sys
from contextlib import contextmanager
from pathlib import Path

import pytest

from local import ROOT
from local.brokers import Brokers
from local.ports import free_port
from tests.integration.processes import eventually


@pytest.fixture
def folder(tmp_path):
    """What `make run` needs. It keeps its brokers' data in the folder it is in."""
    if missing := Brokers.missing():
        pytest.skip(f"{', '.join(missing)} missing here. `make test` installs it and runs all tests.")
    for name in "api", "messaging", "ping", "pong":
        (tmp_path / name).symlink_to(ROOT / name)
    shutil.copytree(ROOT / "local", tmp_path / "local", ignore=shutil.ignore_patterns("data", "jars"))
    (tmp_path / "local/brokers/jars").symlink_to(ROOT / "local/brokers/jars")
    for name in "run.py", ".env", "config.yml":
        shutil.copy(ROOT / name, tmp_path)
    yield tmp_path
    Brokers(tmp_path / "local/brokers/data").stop()


@contextmanager
def runner(folder: Path, **settings: str):
    """run.py, which is all that `make run` does once everything is installed, and its log."""
    ports = {name: str(free_port()) for name in ("API_PORT", "KAFKA_PORT", "RABBITMQ_PORT")}
    log = folder / f"run-{ports['API_PORT']}.log"
    with log.open("w") as out:
        process = subprocess.Popen(
            [sys.executable, "run.py"],
            cwd=folder,
            env=os.environ | ports | settings,
            stdout=out,
            stderr=subprocess.STDOUT,
        )
    try:
        yield process, log.read_text
    finally:
        if process.poll() is None:
            process.terminate()
            process.wait(30)


def processes_of(folder: Path) -> dict[int, str]:
    """Those that work in this folder, and their command lines."""
    found = {}
    for process in Path("/proc").glob("[0-9]*"):
        try:
            if (process / "cwd").readlink().is_relative_to(folder) and (process / "stat").read_text().split()[2] != "Z":
                found[int(process.name)] = (process / "cmdline").read_text().replace("\0", " ")
        except OSError:
            pass  # it has just ended
    return found


def services_of(folder: Path) -> dict[int, str]:
    names = "nameko", "gunicorn", "run.py"
    return {pid: command for pid, command in processes_of(folder).items() if any(name in command for name in names)}


def pid_of(name: str, folder: Path) -> int | None:
    return next((pid for pid, command in processes_of(folder).items() if name in command), None)


def end_of(process: subprocess.Popen) -> int:
    return process.wait(10)


@pytest.mark.skipif(sys.platform != "linux", reason="looks for processes in /proc")
def test_one_runner_which_leaves_nothing_behind(folder):
    with runner(folder) as (first, log):
        eventually(lambda: "Ctrl-C ends everything" in log(), 60, "no first messages")
        assert '"num_messages":1000,' in log()

        with runner(folder) as (second, refusal):
            assert end_of(second) == 1
            assert len(refusal().splitlines()) == 1, refusal()
            assert "at work in this folder already" in refusal()
        assert first.poll() is None

        first.kill()
        first.wait()
        eventually(lambda: not services_of(folder), 10, "services outlive the runner")

    with runner(folder) as (next_one, log):
        ping = eventually(
            lambda: [pid for pid, command in processes_of(folder).items() if "config.yml ping" in command]
        )
        os.kill(ping[0], signal.SIGKILL)
        assert end_of(next_one) == 1
        assert log().splitlines()[-1].startswith("ping ended by itself, by signal 9")
    assert not processes_of(folder)


@pytest.mark.skipif(sys.platform != "linux", reason="looks for processes in /proc")
@pytest.mark.parametrize("while_it_starts", ["kafka.Kafka", "config.yml ping"])
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_asked_to_end_while_it_starts(folder, number, while_it_starts):
    with runner(folder) as (process, log):
        eventually(lambda: pid_of(while_it_starts, folder))
        process.send_signal(number)
        process.send_signal(signal.SIGINT)  # an impatient user
        assert end_of(process) in (0, 130)  # of two signals at once, either may be the first
    assert not processes_of(folder)
    assert "Traceback" not in log()
