"""RabbitMQ from a Docker image instead of the system's package. The option `--rabbitmq-image` selects it."""

import subprocess
import uuid
from pathlib import Path

from local.brokers.broker import Broker
from local.brokers.rabbitmq import RabbitMQ
from local.ports import HOST, free_port


class RabbitMQContainer(Broker):
    """The first process of the container is the server itself. Signals therefore work as they do without Docker.

    When the server ends, the container stays, with its port and its data.
    """

    name = "RabbitMQ"
    answers = RabbitMQ.answers

    def __init__(self, directory: Path, image: str):
        super().__init__(directory)
        self._image = image
        self._container = f"rabbitmq-{uuid.uuid4().hex[:8]}"

    @property
    def pid(self) -> int | None:
        """The process id outside of the container."""
        if not self.port:
            return None
        return int(docker("inspect", "--format", "{{.State.Pid}}", self._container)) or None

    def launch(self) -> None:
        if self.pid:
            return
        if self.port:
            docker("start", self._container)
            return
        port = free_port()
        options = ["--publish", f"{HOST}:{port}:5672", "--env", "RUNNING_UNDER_SYSTEMD=true"]
        docker("run", "--detach", "--name", self._container, *options, self._image)
        self.port = port

    def rabbitmqctl(self, *arguments: str) -> str:
        """Run rabbitmqctl in the container and return its output. Raises CalledProcessError."""
        return docker("exec", self._container, "rabbitmqctl", "--quiet", *arguments)

    def remove(self) -> None:
        """End the server, and remove the container with its data."""
        docker("rm", "--force", "--volumes", self._container)

    def _failure(self, problem: str) -> str:
        self.directory.mkdir(parents=True, exist_ok=True)
        self.log.write_text(docker("logs", self._container))
        return super()._failure(problem)


def docker(*arguments: str) -> str:
    """Return what this command of Docker prints. Raises CalledProcessError."""
    return subprocess.run(["docker", *arguments], check=True, stdout=subprocess.PIPE, text=True, timeout=120).stdout
