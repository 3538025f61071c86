"""Measures how fast the services are.

python -m benchmarks [WORKLOAD ...]   compare with plain kafka-python loops and the textbook design (18 minutes)
python -m benchmarks compare REV      compare with another commit of this repository, such as HEAD~3 (8 minutes)

Each command starts brokers and stops them. Rates are medians of several rounds, except in `memory`, which has one
round. Contenders take turns (except in `bouncing`), so the load of other programs affects all of them equally. Kafka's
offsets show that nothing was lost and nothing came twice. Some workloads check the consumers' logs too. `bouncing` and
`scaling` check only that ping received every message. `starting` checks no messages. Messages have 100 bytes, or 1 byte
for latencies.

The exit code is 1 if a message was lost or came twice, or if something broke. A missed goal is not an error, because
other programs may have slowed down the measurement.
"""

import argparse
import json
import sys
import time
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from benchmarks import BenchmarkError
from benchmarks.comparison.rounds import compare
from benchmarks.comparison.versions import checked_out, this_checkout
from benchmarks.machine import Machine
from benchmarks.processes import exit_on_signals
from benchmarks.site import Site
from benchmarks.workloads import WORKLOADS
from local import LocalError

Json = dict[str, Any]


def measure(names: Sequence[str]) -> Json:
    """Run these workloads. Print and return their results."""
    sections = {}
    with Site.opened() as site:
        for name in names:
            for topic in "ping", "pong":
                site.observer.renew(topic)
            sections[name] = WORKLOADS[name](site)
            print(sections[name], end="\n\n", flush=True)
    goals = [goal for section in sections.values() for goal in section.goals]
    print("Goals", *goals, sep="\n  ")
    if not all(goal.met for goal in goals):
        print("A goal was missed. Other programs may have slowed down the measurement. If so, try again.")
    return {"workloads": {name: asdict(section) for name, section in sections.items()}}


def compare_with(revision: str, rounds: int, messages: int) -> Json:
    """Measure this checkout against a revision, print the report, and return it."""
    with checked_out(revision) as old, Site.opened() as site:
        report = compare(site, old, this_checkout(), rounds, messages)
    print(f"\n{report}")
    return {"comparison": report.as_json()}


def run(asked: argparse.Namespace) -> None:
    machine = Machine.now()
    print(machine, flush=True)
    started = time.perf_counter()
    if asked.command == "compare":
        results = compare_with(asked.revision, asked.rounds, asked.messages)
    else:
        results = measure(asked.names or list(WORKLOADS))
    print(f"\nNo check has failed. This took {time.perf_counter() - started:.0f} s.")
    if asked.json:
        asked.json.write_text(json.dumps({"machine": asdict(machine), **results}, indent=2) + "\n")


def parse(arguments: Sequence[str]) -> argparse.Namespace:
    """Return what the command line asks for. Exits if the command line is wrong."""
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.set_defaults(command="measure")
    if arguments[:1] == ["compare"]:
        parser = argparse.ArgumentParser(prog="python -m benchmarks compare")
        parser.set_defaults(command="compare")
        parser.add_argument("revision", metavar="REV", help="the commit to compare with")
        parser.add_argument("--rounds", type=positive, default=7, help="default: %(default)s")
        parser.add_argument("--messages", type=positive, default=200_000, help="per request; default: %(default)s")
        arguments = arguments[1:]
    else:
        parser.add_argument("names", metavar="WORKLOAD", nargs="*", help=f"{', '.join(WORKLOADS)}; default: all")
    parser.add_argument("--json", metavar="FILE", type=writable, help="also write the results to FILE")
    asked = parser.parse_args(arguments)
    if unknown := set(getattr(asked, "names", ())) - set(WORKLOADS):
        parser.error(f"unknown workload: {', '.join(unknown)}; known ones: {', '.join(WORKLOADS)}")
    return asked


def positive(text: str) -> int:
    if not (text.isascii() and text.isdigit() and int(text)):
        raise argparse.ArgumentTypeError(f"must be a whole number from 1, not {text!r}")
    return int(text)


def writable(text: str) -> Path:
    """Create the file, so that a wrong path fails before the measurement and not after it."""
    try:
        Path(text).touch()
    except OSError as error:
        raise argparse.ArgumentTypeError(f"{text} cannot be written: {error.strerror}") from None
    return Path(text)


def main() -> None:
    asked = parse(sys.argv[1:])
    exit_on_signals()
    try:
        run(asked)
    except (BenchmarkError, LocalError) as error:
        sys.exit(f"Failed: {error}")


if __name__ == "__main__":
    main()
