"""RabbitMQ from the system's packages, run by this user, and the port mapper that Erlang needs."""

import os
import subprocess
from pathlib import Path

from ..ports import HOST, free_port
from .broker import Broker

SETTINGS = """\
listeners.tcp.local = {host}:{port}
# At info, the default, each connection logs three lines.
log.connection.level = warning
"""


def script(name: str) -> str:
    """Return the path of RabbitMQ's own script. Debian's script on the PATH needs root and changes the user."""
    path = f"/usr/lib/rabbitmq/bin/{name}"
    return path if os.path.exists(path) else name


class PortMapper(Broker):
    """epmd, Erlang's port mapper. It starts before RabbitMQ.

    Otherwise RabbitMQ would start an epmd that outlives it.
    """

    name = "epmd"

    def command(self) -> list[str]:
        return ["epmd", "-address", HOST, "-port", str(self.port)]

    def answers(self) -> bool:
        """Send NAMES_REQ, which asks for all registered names. The answer starts with epmd's own port."""
        with self.connect() as connection:
            connection.sendall(b"\x00\x01n")
            return connection.recv(4) == self.port.to_bytes(4, "big")


class RabbitMQ(Broker):
    name = "RabbitMQ"

    def __init__(self, directory: Path, wanted_port: int = 0):
        super().__init__(directory, wanted_port)
        self.port_mapper = PortMapper(directory / "epmd")

    def launch(self) -> None:
        if not self.pid:
            self.port_mapper.start()
        super().launch()

    def await_end(self) -> None:
        try:
            super().await_end()
        finally:
            self.port_mapper.stop()

    def command(self) -> list[str]:
        (self.directory / "rabbitmq.conf").write_text(SETTINGS.format(host=HOST, port=self.port))
        (self.directory / "rabbitmq-env.conf").write_text("")
        (self.directory / "advanced.config").write_text("[].\n")
        (self.directory / "enabled_plugins").write_text("[].\n")
        return [script("rabbitmq-server")]

    def environment(self) -> dict[str, str]:
        inherited = {
            name: value
            for name, value in super().environment().items()
            if not name.startswith(("RABBITMQ_", "ERL_", "NOTIFY_SOCKET"))
        }
        return inherited | {
            "HOME": str(self.directory),  # for Erlang's cookie
            "ERL_EPMD_ADDRESS": HOST,
            "ERL_EPMD_PORT": str(self.port_mapper.port),
            "ERL_AFLAGS": "-kernel inet_dist_use_interface {127,0,0,1}",
            # RabbitMQ finds its data by this name. Two brokers may use one name, because each has its own port mapper.
            "RABBITMQ_NODENAME": "rabbit@localhost",
            "RABBITMQ_DIST_PORT": str(free_port()),
            # Idle threads of Erlang spin by default. On two busy cores, rabbitmqctl then takes up to 60 s, not 1 s.
            "RABBITMQ_CTL_ERL_ARGS": "+sbwt none +sbwtdcpu none +sbwtdio none",
            "RABBITMQ_MNESIA_BASE": f"{self.directory}/data",
            "RABBITMQ_GENERATED_CONFIG_DIR": f"{self.directory}/data",
            "RABBITMQ_LOG_BASE": str(self.directory),
            "RABBITMQ_LOGS": "-",  # to stdout
            # If one of these five variables were not set, RabbitMQ would read its files in /etc/rabbitmq instead.
            "RABBITMQ_CONF_ENV_FILE": f"{self.directory}/rabbitmq-env.conf",
            "RABBITMQ_CONFIG_FILE": f"{self.directory}/rabbitmq.conf",
            "RABBITMQ_CONFIG_FILES": f"{self.directory}/conf.d/*.conf",
            "RABBITMQ_ADVANCED_CONFIG_FILE": f"{self.directory}/advanced.config",
            "RABBITMQ_ENABLED_PLUGINS_FILE": f"{self.directory}/enabled_plugins",
            # With this, the script runs the server by `exec`, so the pid of the script is that of the server.
            "RUNNING_UNDER_SYSTEMD": "true",
        }

    def rabbitmqctl(self, *arguments: str) -> str:
        """Run rabbitmqctl on this broker and return the output. Raises SubprocessError."""
        command = [script("rabbitmqctl"), "--quiet", *arguments]
        return subprocess.run(
            command,
            env=self.environment(),
            cwd=self.directory,
            check=True,
            stdout=subprocess.PIPE,
            text=True,
            timeout=60,
        ).stdout

    def answers(self) -> bool:
        """Offer AMQP 0-9-1; the answer, Connection.Start, is a method frame (1) on channel 0."""
        with self.connect() as connection:
            connection.sendall(b"AMQP\x00\x00\x09\x01")
            return connection.recv(3) == b"\x01\x00\x00"
