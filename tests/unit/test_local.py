"""The parts of local/ that need no brokers: settings, waiting, ports, and the arguments of Kafka's commands."""

import subprocess
import sys
from types import SimpleNamespace

import pytest

from local import ROOT, LocalError
from local.brokers import Brokers
from local.brokers.commands import with_address
from local.ports import port_from
from local.settings import read_settings
from local.waiting import wait_until


@pytest.fixture
def settings(tmp_path, monkeypatch):
    """Reads a text as if it were .env."""

    def read(text: str) -> dict[str, str]:
        (tmp_path / ".env").write_text(text)
        return read_settings(tmp_path / ".env")

    monkeypatch.delenv("PORT", raising=False)
    monkeypatch.delenv("ADDRESS", raising=False)
    return read


def test_a_setting_may_refer_to_others(settings):
    read = settings("# PORT=1\n\nPORT=8000 # of the API\nADDRESS='localhost:${PORT}'\n")

    assert (read["PORT"], read["ADDRESS"]) == ("8000", "localhost:8000")


def test_a_hash_sign_inside_a_word_or_quotes_begins_no_comment(settings):
    read = settings("PORT='1 # 2' # isn't a comment\nADDRESS=a#b # c\n")

    assert (read["PORT"], read["ADDRESS"]) == ("1 # 2", "a#b")


def test_the_last_line_of_a_setting_counts(settings):
    assert settings("PORT=1\nPORT=2\n")["PORT"] == "2"


def test_the_environment_overrides_the_file_even_in_references(settings, monkeypatch):
    monkeypatch.setenv("PORT", "8001")
    read = settings("PORT=8000\nADDRESS=localhost:${PORT}\n")

    assert (read["PORT"], read["ADDRESS"]) == ("8001", "localhost:8001")


def test_without_a_file_the_settings_are_the_environment(tmp_path, monkeypatch):
    monkeypatch.setenv("PORT", "8001")

    assert read_settings(tmp_path / "none")["PORT"] == "8001"


@pytest.mark.parametrize("text", ["abc", "0", "65536", "-1", "٣"])
def test_a_wrong_port_is_reported(text):
    with pytest.raises(LocalError, match=f"API_PORT must be a port, a number from 1 to 65535, not '{text}'"):
        port_from({"API_PORT": text}, "API_PORT", 8000)


@pytest.mark.parametrize("settings", [{}, {"API_PORT": ""}])
def test_a_port_that_is_not_set_has_its_default(settings):
    assert port_from(settings, "API_PORT", 8000) == 8000


def test_waiting_returns_the_first_true_value():
    values = iter([None, 0, "there", "later"])

    assert wait_until(lambda: next(values), 5, 0) == "there"


def test_waiting_that_times_out_returns_the_last_value():
    assert wait_until(lambda: [], 0.01, 0) == []


BROKERS = SimpleNamespace(kafka=SimpleNamespace(name="Kafka", pid=1, address="here:9092"))
NOBODY = SimpleNamespace(kafka=SimpleNamespace(name="Kafka", pid=None))
PERF = "kafka-producer-perf-test"


@pytest.mark.parametrize(
    ("name", "given", "arguments"),
    [
        ("kafka-topics", "--list", "--bootstrap-server here:9092 --list"),
        ("kafka-topics", "--bootstrap-server there:1 --list", "--bootstrap-server there:1 --list"),
        ("kafka-topics", "--bootstrap-server=there:1 --list", "--bootstrap-server=there:1 --list"),
        (PERF, "--topic x", "--topic x --producer-props bootstrap.servers=here:9092"),
        (
            PERF,
            "--producer-props acks=all --topic x",
            "--producer-props bootstrap.servers=here:9092 acks=all --topic x",
        ),
        (
            PERF,
            "--producer-props acks=0 --producer-props acks=all",
            "--producer-props acks=0 --producer-props bootstrap.servers=here:9092 acks=all",
        ),
        (PERF, "--producer-props bootstrap.servers=there:1", "--producer-props bootstrap.servers=there:1"),
    ],
)
def test_a_command_of_kafka_gets_the_address_unless_it_has_one(name, given, arguments):
    assert with_address(name, given.split(), BROKERS) == arguments.split()


def test_a_command_of_kafka_needs_kafka_except_for_help():
    with pytest.raises(LocalError, match="Kafka does not run in this folder"):
        with_address("kafka-topics", ["--list"], NOBODY)

    assert with_address("kafka-topics", ["--help"], NOBODY) == ["--help"]


def test_the_error_for_an_unknown_command_lists_the_known_commands_even_if_no_package_is_installed():
    command = [sys.executable, "-S", "-m", "local", "kafka-topic"]  # -S: without installed packages
    ended = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)

    assert ended.returncode == 2
    assert "there is no command 'kafka-topic'. There are install, start, " in ended.stderr
    assert "kafka-topics" in ended.stderr


def test_brokers_end_even_if_a_signal_interrupts_the_wait_for_one_of_them(tmp_path, monkeypatch):
    brokers, ended = Brokers(tmp_path), []

    def interrupted():
        raise SystemExit(130)

    monkeypatch.setattr(brokers.rabbitmq, "await_end", interrupted)
    monkeypatch.setattr(brokers.kafka, "await_end", lambda: ended.append("Kafka"))
    monkeypatch.setattr(brokers.zookeeper, "stop", lambda: ended.append("ZooKeeper"))
    with pytest.raises(SystemExit):
        brokers.stop()

    assert ended == ["Kafka", "ZooKeeper"]
