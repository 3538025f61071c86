"""Two instances of ping. A test can close the RabbitMQ connections of either one."""

from functools import cache

from tests.integration.processes import LoggedProcess, Stack, eventually


class Pair:
    """Each instance has its own user of RabbitMQ, so a test can find the connections of one instance."""

    def __init__(self, stack: Stack):
        self._stack = stack
        self._rabbitmq = stack.brokers.rabbitmq
        self._users: dict[LoggedProcess, str] = {}

    def start(self) -> None:
        """Stop the stack's own ping, and start the two instances."""
        self._stack.ping.terminate()
        for user in users(self._rabbitmq):
            address = f"amqp://{user}:{user}@{self._rabbitmq.address}"
            self._users[self._stack.start_service("ping", AMQP_URI=address)] = user
        eventually(lambda: all(len(each.assigned()) == 2 for each in self._users), what="partitions are not shared")
        self._stack.wait_until_ready()

    def end(self) -> None:
        for process in self._users:
            process.end()

    def sender_of(self, path: str) -> LoggedProcess:
        """Wait until an instance sends the run at this path, and return the instance."""
        (pid,) = eventually(lambda: self.sent(path), what="the run does not begin")
        return next(process for process in self._users if process.pid == pid)

    def sent(self, path: str) -> dict[int, int]:
        """Return how many messages of a run each instance has sent, by process id."""
        instances = self._stack.get(path).json()["stages"]["sent"]["instances"]
        return {int(name.rpartition(":")[2]): count for name, count in instances.items()}

    def close_connections(self, process: LoggedProcess) -> None:
        """Let RabbitMQ close the connections of this instance."""
        self._rabbitmq.rabbitmqctl("close_all_user_connections", self._users[process], "a test")


@cache  # each rabbitmqctl takes seconds
def users(rabbitmq) -> list[str]:
    """Create two users in RabbitMQ, and return their names. The password of each is its name."""
    names = ["ping-1", "ping-2"]
    for name in names:
        rabbitmq.rabbitmqctl("add_user", name, name)
        rabbitmq.rabbitmqctl("set_permissions", name, ".*", ".*", ".*")
    return names


def configure(rabbitmq, **settings: int) -> None:
    """Change settings of RabbitMQ while it runs."""
    changes = [f"application:set_env(rabbit, {name}, {value})" for name, value in settings.items()]
    rabbitmq.rabbitmqctl("eval", ", ".join(changes) + ".")
