"""`python -m client verify RUN`: compares the topics with what the API says about a run.

Exit codes: 0 they agree; 1 they differ; 2 it cannot tell, and prints the reason to stderr; 130 Ctrl-C.
"""

import argparse
import os
import sys
import time
import warnings
from collections.abc import Callable
from contextlib import closing
from dataclasses import replace
from uuid import UUID

from rich.console import Console

from client.http import Api
from client.runs import Run
from client.verify.counting import Counter
from client.verify.judging import TOPICS, Verdict, judge
from client.verify.reading import NoSuchTopic, Reading
from client.verify.report import print_json, print_table
from messaging.clients import connect
from messaging.clients.errors import ClientError, Transactional
from messaging.clients.protocols import Client, Reader
from messaging.settings import KAFKA_SERVERS, load

SETTLE_SECONDS = 5
"""A difference counts only if nothing has changed for this long, in seconds. Messages may still be on their way."""
POLL_SECONDS = 0.5


class CannotTell(Exception):
    """No verdict is possible. The text says why."""


def run_id(text: str) -> UUID:
    """Return the id of a run from its id or its link. Raises ValueError."""
    return UUID(text.rstrip("/").rpartition("/")[2])


def kafka_address(text: str) -> str:
    """Return the address if it is valid. Raises ValueError."""
    return str(KAFKA_SERVERS.parse(text))


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Give the parser the arguments of this command."""
    default = os.environ.get("KAFKA_BOOTSTRAP_SERVERS") or KAFKA_SERVERS.default
    parser.add_argument("run", type=run_id, metavar="RUN", help="its id, or its link")
    parser.add_argument("--kafka", type=kafka_address, metavar="HOST:PORT", default=default, help=f"default: {default}")
    parser.add_argument("--exact", action="store_true", help="duplicates must match too; use it if nothing was killed")
    parser.set_defaults(carry_out=verify_and_report)


def verify_and_report(api: Api, asked: argparse.Namespace) -> int:
    """Verify a run, print the verdict and return the exit code. Raises ApiError."""
    try:
        with Console(stderr=True).status("Reading the topics ..."), closing(kafka_at(asked.kafka).reader()) as reader:
            run, verdict = verify(lambda: api.get(f"{api.url}/runs/{asked.run}"), reader, asked.exact)
    except Transactional as error:
        return _cannot_tell(str(error))
    except ClientError as error:
        return _cannot_tell(f"Kafka at {asked.kafka} does not answer ({error}). Say with --kafka where it is.")
    except NoSuchTopic as topic:
        return _cannot_tell(f"Kafka at {asked.kafka} has no topic {topic}. Say with --kafka which Kafka the API uses.")
    except CannotTell as why:
        return _cannot_tell(str(why))
    except KeyboardInterrupt:
        return 130
    (print_json if asked.json else print_table)(run, verdict)
    return 0 if verdict.agrees else 1


def verify(get: Callable[[], Run], reader: Reader, exact: bool = False) -> tuple[Run, Verdict]:
    """Compare a run's topics with the API. Return the run as it was at the last comparison, and the verdict.

    Raises CannotTell, NoSuchTopic, ApiError, ClientError.
    """
    run = get()
    if not (run.is_over or run.stalled):
        raise CannotTell(f"Run {run.id} is {run.state}. Verify it when it is over.")
    counter, topics = Counter(), TOPICS[run.service]
    tallies = {topic: counter.expect(topic, UUID(run.id), run.num_messages, run.size) for topic in topics}
    reading = Reading(reader, topics)
    check_retention(reading, run)

    def look() -> tuple[Run, Verdict]:
        reading.to_end(counter.add)
        now = get()
        return now, judge(now, tallies, exact)

    run, verdict = settled(look)
    if verdict.differences:
        check_retention(reading, run)  # Kafka may have deleted messages meanwhile
    elif not run.is_over:
        doing = f"waits at stage {run.stalled}" if run.stalled else f"is {run.state}"
        raise CannotTell(f"Run {run.id} {doing}. So far the topics hold what the API says.")
    return run, verdict


def settled(look: Callable[[], tuple[Run, Verdict]]) -> tuple[Run, Verdict]:
    """Call `look` until topics and API agree, or until the verdict has not changed for SETTLE_SECONDS.

    Return the last result.
    """
    seen = look()
    deadline = time.monotonic() + SETTLE_SECONDS
    while seen[1].differences and time.monotonic() < deadline:
        time.sleep(POLL_SECONDS)
        before, seen = seen, look()
        if seen[1] != before[1]:  # the delay of a paced run grows as long as nothing arrives
            deadline = time.monotonic() + SETTLE_SECONDS
    return seen


def check_retention(reading: Reading, run: Run) -> None:
    """Raise CannotTell if Kafka may have deleted messages of the run."""
    deleted = reading.lost_since(int(run.created.timestamp() * 1000))
    if deleted:
        partitions = ", ".join(f"{partition.topic}/{partition.number}" for partition in deleted)
        raise CannotTell(f"Kafka has deleted messages that may belong to run {run.id}, in {partitions}.")


def kafka_at(servers: str) -> Client:
    """Return a client with the options of config.yml. Raises CannotTell if a setting is wrong."""
    try:
        with warnings.catch_warnings(action="ignore"):  # nameko imports eventlet, which warns that it is deprecated
            settings = load()
    except SystemExit as wrong:
        raise CannotTell(str(wrong)) from None
    return connect(replace(settings.kafka, servers=servers))


def _cannot_tell(why: str) -> int:
    print(why, file=sys.stderr, flush=True)
    return 2
