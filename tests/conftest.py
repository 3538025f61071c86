"""Real brokers for the whole session, and real services, each in a separate process."""

import os
from contextlib import ExitStack, contextmanager

import pytest

from local.brokers import Brokers
from local.services import environment
from tests.integration.ledger import Ledger
from tests.integration.processes import LoggedProcess, Stack
from tests.rabbitmq_container import RabbitMQContainer


def pytest_addoption(parser):
    parser.addoption("--rabbitmq-image", help="use RabbitMQ from this Docker image, such as rabbitmq:4.2-management")


def pytest_configure():
    # The brokers of the tests run only for minutes. Java's second compiler would take a sixth of all CPU time.
    os.environ.setdefault("JDK_JAVA_OPTIONS", "-XX:TieredStopAtLevel=1")


@pytest.fixture(scope="session")
def brokers(tmp_path_factory, request):
    """ZooKeeper, Kafka and RabbitMQ for this session only, on free ports. They do not disturb a user's stack."""
    if missing := Brokers.missing():
        pytest.skip(f"{', '.join(missing)} missing here. `make test` installs it and runs all tests.")
    brokers = Brokers(tmp_path_factory.mktemp("brokers"))
    with ExitStack() as cleanup:
        if image := request.config.getoption("--rabbitmq-image"):
            brokers.rabbitmq = RabbitMQContainer(brokers.directory / "rabbitmq", image)
            cleanup.callback(brokers.rabbitmq.remove)
        yield cleanup.enter_context(brokers)


@contextmanager
def processes(brokers, folder):
    """Yield a function that starts a process with the brokers' addresses. After the block, end all processes."""
    started = []

    def start(name: str, *command: str, **settings: str) -> LoggedProcess:
        log = folder / f"{name}-{len(started)}.log"
        started.append(LoggedProcess(command, environment(brokers.environment | settings), log))
        return started[-1]

    try:
        yield start
    finally:
        for process in started:
            process.ask_to_end()
        for process in started:
            process.await_end()


@pytest.fixture
def start(brokers, tmp_path):
    """Starts processes of one test."""
    with processes(brokers, tmp_path) as start:
        yield start


@pytest.fixture(scope="session")
def _stack(brokers, tmp_path_factory):
    with processes(brokers, tmp_path_factory.mktemp("stack")) as start:
        yield Stack(brokers, start)


@pytest.fixture
def stack(_stack):
    """ping, pong and the API of the whole session, ready and idle. They have read their topics to the end."""
    _stack.heal()
    # A stopped run has ended, but its last messages may not be consumed yet. The next run would wait behind them.
    with Ledger(_stack.brokers.kafka_bootstrap) as ledger:
        ledger.wait_until_consumed()
    return _stack


@pytest.fixture
def fresh_stack(stack):
    """The stack, but ping and pong have just started. They have counted no messages, and have new logs."""
    stack.restart()
    return stack


@pytest.fixture
def ledger(brokers):
    """Reads the messages that arrive in topics `ping` and `pong` after this fixture starts."""
    with Ledger(brokers.kafka_bootstrap, ["ping", "pong"]) as ledger:
        yield ledger
