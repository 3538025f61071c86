"""Shows what three designs do with messages while their services are killed. It takes about two minutes.

Each design bounces messages between ping and pong. When topic ping holds a third of the answers, the demo kills service
pong with SIGKILL, and starts it again. When the topic holds two thirds, the demo does the same with service ping. At
the end, the code of `client verify` counts the messages in the topics.
"""

import argparse
import json
import sys
from collections.abc import Iterator, Sequence
from dataclasses import asdict
from pathlib import Path

from rich.console import Console

from benchmarks import BenchmarkError
from benchmarks.designs import Design
from benchmarks.processes import exit_on_signals
from benchmarks.site import Site
from client.http import ApiError
from demo.bounce import bounce
from demo.designs import DESIGNS
from demo.result import Result, count
from demo.screen import Part, Screen
from local import LocalError
from messaging.clients.errors import ClientError


def demonstrate(designs: Sequence[Design], screen: Screen) -> Iterator[Result]:
    """Run and show one design after the other. Raises BenchmarkError, ApiError, ClientError, LocalError."""
    with Site.opened() as site:
        for design in designs:
            yield demonstrate_one(site, design, screen.begin(design))


def demonstrate_one(site: Site, design: Design, part: Part) -> Result:
    for topic in "ping", "pong":
        site.observer.renew(topic)
    part.status = "Starting the services ..."
    services = design.start(site)
    try:
        services.start()
        part.status = ""
        bounced = bounce(services, lambda: site.observer.count("ping"), design.messages, part)
    finally:
        services.end()
    part.status = "Counting the messages in the topics ..."
    tallies = count(site.kafka, bounced.run, design.messages)
    part.status = ""
    return Result.of(design.name, design.client, design.messages, tallies, bounced.kills, bounced.seconds)


def parse(arguments: Sequence[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python -m demo", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--json", action="store_true", help="print a JSON list to stdout, and the screen to stderr")
    parser.add_argument("--svg", metavar="FILE", type=Path, help="also save a picture of the screen in FILE")
    return parser.parse_args(arguments)


def main(arguments: Sequence[str], designs: Sequence[Design] = DESIGNS) -> None:
    """Carry out the command. Exits with 1 if a design fails or the picture cannot be saved."""
    asked = parse(arguments)
    exit_on_signals()
    screen = Screen(Console(stderr=asked.json, highlight=False))
    try:
        with screen:
            results = list(demonstrate(designs, screen))
            screen.finish(results)
    except (BenchmarkError, ApiError, ClientError, LocalError) as error:
        sys.exit(f"Failed: {error}")
    if asked.json:
        print(json.dumps([asdict(result) for result in results], indent=2))
    if asked.svg:
        try:
            screen.save(asked.svg)
        except OSError as error:
            sys.exit(f"Failed: {asked.svg} cannot be written: {error.strerror}")


if __name__ == "__main__":
    main(sys.argv[1:])
