"""Both ways to start everything: with `docker compose` step by step, and with docker-compose all at once."""

import json
import os
import re
import shutil
import subprocess
import uuid

import pytest
import requests

from local import ROOT
from local.ports import free_port
from tests.integration.processes import eventually

COMMANDS = ["docker-compose", "docker compose"]


def works(command: str) -> bool:
    arguments = command.split()
    if not shutil.which(arguments[0]):
        return False
    return subprocess.run(arguments, capture_output=True, check=False).returncode == 0


pytestmark = [
    pytest.mark.skipif(not works("docker info"), reason="no Docker daemon answers here"),
    pytest.mark.xdist_group("compose"),  # one after the other: they build the same image
]


@pytest.fixture
def compose(request):
    """Runs docker-compose or `docker compose` with a separate project. Removes its containers and data at the end."""
    if not works(f"{request.param} version"):
        pytest.skip(f"{request.param} is not installed here")
    ports = {name: str(free_port()) for name in ("API_PORT", "KAFKA_PORT", "RABBITMQ_PORT", "RABBITMQ_MANAGEMENT_PORT")}
    settings = ports | {"RABBITMQ_USER": "tester", "RABBITMQ_PASSWORD": uuid.uuid4().hex}
    project = f"test-{uuid.uuid4().hex[:8]}"

    def compose(*arguments: str) -> str:
        done = subprocess.run(
            [*request.param.split(), "-p", project, *arguments],
            cwd=ROOT,
            env=os.environ | settings,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            check=False,
        )
        assert done.returncode == 0, done.stdout
        return done.stdout

    compose.api = f"http://127.0.0.1:{settings['API_PORT']}"
    compose.rabbit = f"http://127.0.0.1:{settings['RABBITMQ_MANAGEMENT_PORT']}"
    compose.user = settings["RABBITMQ_USER"], settings["RABBITMQ_PASSWORD"]
    yield compose
    compose("down", "-v")


@pytest.mark.parametrize("compose", COMMANDS, indirect=True)
def test_the_settings_cause_no_warnings(compose):
    assert compose("config", "-q") == ""


@pytest.mark.parametrize("compose", COMMANDS[1:], indirect=True)
def test_both_services_send_if_they_start_after_the_brokers(compose):
    compose("up", "--build", "-d", "broker", "zookeeper", "rabbit")
    compose("up", "--build", "-d", "ping", "pong", "api")
    eventually(lambda: requests.get(f"{compose.api}/readyz", timeout=10).ok, 60)

    for service in "ping", "pong":
        figures = requests.get(f"{compose.api}/{service}/1000/100", timeout=60).json()
        assert (figures["num_messages"], figures["size"]) == (1000, 100)

    for path in "/", "/static/js/main.js", "/static/vendor/uPlot.iife.min.js":
        assert requests.get(compose.api + path, timeout=10).ok, path

    def totals(service: str) -> list[int]:
        return [int(total) for total in re.findall(r" total=(\d+) ", compose("logs", "--no-color", service))]

    eventually(lambda: totals("pong") == list(range(100, 1001, 100)))
    eventually(lambda: totals("ping") == list(range(100, 2001, 100)))

    client = "exec", "-T", "api", "python", "-m", "client"
    printed = compose(*client, "ping", "1000", "100")
    assert "1,000 messages of 100 bytes, done" in printed
    link = printed.split()[1]
    assert compose(*client, "verify", link).endswith("\nThe topics hold what the API says.\n")
    check_containers(compose)
    users = compose.user, ("guest", "guest")
    logins = [requests.get(f"{compose.rabbit}/api/whoami", auth=user, timeout=10).status_code for user in users]
    assert logins == [200, 401]


@pytest.mark.parametrize("compose", COMMANDS[:1], indirect=True)
def test_everything_starts_at_once_with_two_instances_of_each_service(compose):
    compose("up", "--build", "-d", "--scale", "ping=2", "--scale", "pong=2")
    eventually(lambda: requests.get(f"{compose.api}/readyz", timeout=10).ok, 60)

    assert requests.get(f"{compose.api}/ping/4000/100", timeout=60).json()["num_messages"] == 4000
    for service in "ping", "pong":
        eventually(lambda name=service: len(re.findall(r"messages=100 ", compose("logs", name))) >= 39)


def check_containers(compose) -> None:
    """Raise AssertionError if a container may do more than it needs, or can be reached from other machines."""
    containers = json.loads(docker("inspect", *compose("ps", "-q").split()))
    names = {container["Config"]["Labels"]["com.docker.compose.service"] for container in containers}
    assert names == {"api", "ping", "pong", "broker", "zookeeper", "rabbit"}
    for container in containers:
        name = container["Config"]["Labels"]["com.docker.compose.service"]
        limits = container["HostConfig"]
        assert limits["Memory"] > 0, name
        assert limits["PidsLimit"] > 0, name
        assert limits["ReadonlyRootfs"] == (name not in ("broker", "zookeeper")), name
        bindings = [binding for port in container["NetworkSettings"]["Ports"].values() for binding in port or []]
        assert {binding["HostIp"] for binding in bindings} <= {"127.0.0.1"}, name

        status = docker("exec", container["Id"], "cat", "/proc/1/status")
        process = {key: value.split() for key, _, value in (line.partition(":") for line in status.splitlines())}
        assert "0" not in process["Uid"], name
        assert {*process["CapBnd"], *process["CapPrm"]} == {"0" * 16}, name
        assert process["NoNewPrivs"] == ["1"], name


def docker(*arguments: str) -> str:
    return subprocess.run(["docker", *arguments], capture_output=True, text=True, check=True).stdout
