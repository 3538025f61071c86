"""Waits until messages have gone from ping to pong and back."""

from benchmarks import expect
from benchmarks.drain import drain
from benchmarks.observer import Observer
from benchmarks.processes import handled
from benchmarks.site import Site


def await_bounced(observer: Observer, messages: int) -> None:
    """Wait until each message in topic pong has an answer in topic ping, and both services have committed everything.

    Raises BenchmarkError if either topic does not hold exactly this many messages.
    """

    def left() -> int:
        # Each request for committed offsets takes CPU time from the services, so wait for all answers first.
        unanswered = messages - observer.count("ping")
        return unanswered or max(observer.lag("pong", "pong"), observer.lag("ping", "ping"))

    expect("messages in topic pong", observer.count("pong"), messages)
    drain(left)
    expect("messages in topic ping", observer.count("ping"), messages)


def await_handled(site: Site, messages: int) -> None:
    """Call `await_bounced`. Then check that ping and pong have logged this many messages, rounded down to hundreds.

    Raises BenchmarkError if a check fails.
    """
    await_bounced(site.observer, messages)
    for name in "ping", "pong":
        expect(f"messages handled by {name}", handled(site.log(name), name), messages // 100 * 100)
