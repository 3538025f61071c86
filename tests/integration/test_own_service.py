"""The service of docs/own-service.md works in a folder with only the files that the document names."""

import re
import shutil
import uuid

import pytest
from nameko.standalone.rpc import ServiceRpcProxy

from local import ROOT
from local.services import NAMEKO_RUN, environment
from tests.integration.ledger import Ledger, produce
from tests.integration.processes import LoggedProcess, eventually

MESSAGES = 20_000


@pytest.fixture
def folder(tmp_path):
    """A folder as in the document: with the files to copy, and the new file shout.py."""
    [code] = re.findall(r"^```python\n(.*?)^```", (ROOT / "docs/own-service.md").read_text(), re.M | re.S)
    shutil.copytree(ROOT / "messaging", tmp_path / "messaging")
    shutil.copy(ROOT / "config.yml", tmp_path)
    (tmp_path / "shout.py").write_text(code)
    return tmp_path


@pytest.fixture
def start(brokers, folder):
    """Starts an instance of the service and waits until it has partitions."""
    started = []

    def start() -> LoggedProcess:
        settings = environment(brokers.environment)
        started.append(LoggedProcess([*NAMEKO_RUN, "shout"], settings, folder / f"{len(started)}.log", folder=folder))
        eventually(started[-1].assigned, what="the service has no partitions")
        return started[-1]

    yield start
    for process in started:
        process.end()


def test_the_service_of_the_document_loses_nothing_when_it_is_killed(brokers, start):
    service = start()
    with ServiceRpcProxy("shout", {"AMQP_URI": brokers.environment["AMQP_URI"]}, timeout=10) as shout:
        shout.say("called")
    words = [f"word {number} {uuid.uuid4()}".encode() for number in range(MESSAGES)]
    produce(brokers.kafka_bootstrap, "quiet", [(None, word) for word in words])
    with Ledger(brokers.kafka_bootstrap) as topics:
        eventually(lambda: topics.count("loud") > MESSAGES / 10)
        service.popen.kill()
        service.popen.wait()
        second = start()
        eventually(lambda: topics.lag("shout", "quiet") == 0, 60)
        loud = {record.value for record in topics.records("loud")}

    assert loud == {word.upper() for word in words} | {b"called"}
    assert second.terminate()[0] == 0
