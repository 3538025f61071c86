"""Two instances of ping. A test can cut either one off from RabbitMQ."""

import uuid

from tests.integration.processes import LoggedProcess, Stack, eventually


class Pair:
    """Each instance has its own user of RabbitMQ, so a test can find its connections."""

    def __init__(self, stack: Stack):
        self._stack = stack
        self._rabbitmq = stack.brokers.rabbitmq
        self._users: dict[LoggedProcess, str] = {}

    def start(self) -> None:
        """Start both, instead of the stack's own ping."""
        self._stack.ping.terminate()
        for _ in range(2):
            user = f"ping-{uuid.uuid4().hex[:8]}"
            self._rabbitmq.rabbitmqctl("add_user", user, user)
            self._rabbitmq.rabbitmqctl("set_permissions", user, ".*", ".*", ".*")
            address = f"amqp://{user}:{user}@{self._rabbitmq.address}"
            self._users[self._stack.start_service("ping", AMQP_URI=address)] = user
        eventually(lambda: all(len(process.assigned()) == 2 for process in self._users), what="ping has no partitions")
        self._stack.wait_until_ready()

    def end(self) -> None:
        for process, user in self._users.items():
            process.end()
            self._rabbitmq.rabbitmqctl("delete_user", user)

    def sender_of(self, path: str) -> LoggedProcess:
        """Return the instance that sends the run at this path, once it does."""
        (number,) = eventually(lambda: self.sent(path), what="the run does not begin")
        return next(process for process in self._users if process.pid == number)

    def sent(self, path: str) -> dict[int, int]:
        """Return how many messages of a run each instance has sent, by its process id."""
        instances = self._stack.get(path).json()["stages"]["sent"]["instances"]
        return {int(name.rpartition(":")[2]): count for name, count in instances.items()}

    def close_connections(self, process: LoggedProcess) -> None:
        """Have RabbitMQ close the connections of this instance."""
        self._rabbitmq.rabbitmqctl("close_all_user_connections", self._users[process], "a test")


def configure(rabbitmq, **settings: int) -> None:
    """Change settings of RabbitMQ while it runs."""
    changes = [f"application:set_env(rabbit, {name}, {value})" for name, value in settings.items()]
    rabbitmq.rabbitmqctl("eval", ", ".join(changes) + ".")
