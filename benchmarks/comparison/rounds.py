"""Lets two versions take turns, round by round."""

from benchmarks.comparison.report import Report
from benchmarks.comparison.turn import Figures, take_turn
from benchmarks.comparison.versions import Version
from benchmarks.site import Site


def compare(site: Site, old: Version, new: Version, rounds: int, messages: int) -> Report:
    """Measure both versions in each round.

    The old version is first in one round, and the new version is first in the next round.
    """
    site.observer.renew("pong")
    site.fill("pong", messages)  # warms up Kafka, because a JVM is slow at first
    results = []
    for number in range(rounds):
        figures: dict[Version, Figures] = {}
        for version in (old, new) if number % 2 == 0 else (new, old):
            figures[version] = take_turn(site, version, messages)
            print(f"round {number + 1}, {version.name}: {figures[version]}", flush=True)
        results.append((figures[old], figures[new]))
    return Report(old, new, messages, results)
