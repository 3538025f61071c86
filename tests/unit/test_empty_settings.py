"""An empty setting means its default, in .env, in docker-compose.yml and in the programs."""

import json
import os
import runpy
import shutil
import subprocess

import pytest
import yaml
from kombu import Connection

from client.__main__ import parse
from local import ROOT
from local.settings import read_settings
from messaging import settings


def names() -> list[str]:
    """The settings in .env that do not refer to others."""
    lines = (line.partition("=") for line in (ROOT / ".env").read_text().splitlines())
    return [name for name, assigned, value in lines if assigned and name[0] != "#" and "$" not in value]


@pytest.fixture
def empty(tmp_path, monkeypatch):
    """Empty all settings of `names()`. Return what `make run` reads then."""
    for name in names():
        monkeypatch.setenv(name, "")
    for name in "AMQP_URI", "KAFKA_BOOTSTRAP_SERVERS", "API_BIND":
        monkeypatch.delenv(name, raising=False)
    return read_settings()


def test_the_services_find_the_brokers_at_their_default_ports(empty, monkeypatch):
    for name in "AMQP_URI", "KAFKA_BOOTSTRAP_SERVERS":
        monkeypatch.setenv(name, empty[name])
    loaded = settings.load()
    rabbitmq = Connection(loaded.amqp_uri).info()

    assert loaded.kafka.servers == loaded.kafka.consumer["bootstrap_servers"] == "localhost:9092"
    assert [rabbitmq[name] for name in ("userid", "password", "hostname", "port")] == [
        "guest", "guest", "localhost", 5672,
    ]  # fmt: skip


def test_the_api_listens_at_its_default_port(empty):
    assert runpy.run_path(str(ROOT / "api/gunicorn.conf.py"))["bind"] == "127.0.0.1:8000"


def test_the_api_listens_at_the_port_that_is_set(empty, monkeypatch):
    monkeypatch.setenv("API_PORT", "8001")

    assert runpy.run_path(str(ROOT / "api/gunicorn.conf.py"))["bind"] == "127.0.0.1:8001"


def test_the_terminal_client_asks_the_default_port(empty):
    assert parse(["ping", "1", "1"]).api == "http://localhost:8000"


def test_the_terminal_client_looks_for_kafka_at_its_default_port(empty, monkeypatch):
    monkeypatch.setenv("KAFKA_BOOTSTRAP_SERVERS", empty["KAFKA_BOOTSTRAP_SERVERS"])

    assert parse(["verify", "3f1c3e9a-5b0c-4f7e-8a35-3d0a5f6f2b11"]).kafka == "localhost:9092"


@pytest.mark.skipif(not shutil.which("docker-compose"), reason="no docker-compose here")
def test_the_defaults_in_docker_compose_yml_are_those_in_dot_env(tmp_path):
    configs = []
    others = {name: value for name, value in os.environ.items() if name not in names()}
    for text in (ROOT / ".env").read_text(), "\n".join(f"{name}=" for name in names()):
        (tmp_path / "env").write_text(text)
        command = ["docker-compose", "--env-file", str(tmp_path / "env"), "config"]
        read = subprocess.run(command, cwd=ROOT, env=others, capture_output=True, check=True)
        configs.append(yaml.safe_load(read.stdout))
    given, empty_ones = configs
    for service in given["services"].values(), empty_ones["services"].values():
        for one in service:
            # Leave out the settings that docker-compose does not fill in. The programs fill in their defaults.
            one["environment"] = {
                name: value
                for name, value in one.get("environment", {}).items()
                if name not in {*settings.NUMBERS, "KAFKA_CLIENT", "DELIVERY", "LOG_FORMAT"}
            }

    assert json.dumps(empty_ones) == json.dumps(given)
