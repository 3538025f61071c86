"""A run in the terminal: `python -m api.client ping 100000 100` starts it, shows it live, then what came of it.

Exit codes: 0 everything arrived; 1 something was lost, or the run did not end `done`; 2 bad usage, or the API refuses
or cannot be reached; 130 Ctrl-C. The run goes to stdout, all else to stderr.
"""

import argparse
import json
import os
import sys
import time
from collections.abc import Iterator
from datetime import datetime
from urllib.parse import urljoin

import requests
from rich import box
from rich.console import Console
from rich.progress import BarColumn, Progress, ProgressColumn, Task, TextColumn
from rich.table import Column, Table
from rich.text import Text

TIMEOUT = 5, 30
"""Seconds to connect, and without a sign of life; an event stream has a heartbeat every 10 s."""
RECONNECT_SECONDS = 30
SETTLE_SECONDS = 5
"""How long the last records of a run's stages may take after its end."""


class Refused(requests.RequestException):
    """An answer other than the one asked for; its text is the `detail` of the problem."""


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m api.client", description="Start a run and watch it to its end.")
    parser.add_argument("service", choices=["ping", "pong"], help="which one sends")
    parser.add_argument("num_messages", type=int)
    parser.add_argument("size", type=int, help="of each message, in bytes")
    default = f"http://localhost:{os.environ.get('API_PORT', 8000)}"
    parser.add_argument("--api", metavar="URL", default=default, help="default: %(default)s")
    parser.add_argument("--json", action="store_true", help="print nothing but the run when it has ended, as JSON")
    asked = parser.parse_args()
    api = asked.api.rstrip("/")
    link = f"{api}/runs"
    try:
        with requests.Session() as session:
            session.trust_env = False  # a proxy could not reach localhost
            accepted = session.post(f"{api}/{asked.service}/{asked.num_messages}/{asked.size}", timeout=TIMEOUT)
            link = urljoin(accepted.url, check(accepted, 202).headers["Location"])
            if not asked.json:
                print(f"Run {link}", flush=True)
            watch(follow(session, link), show=not asked.json)
            run = settled(session, link)
    except KeyboardInterrupt:
        say(f"No longer watching; the run goes on: {link}")
        return 130
    except requests.RequestException as error:
        no_answer = f"{api} does not answer ({why(error)}). Start it with `make run`, or say with --api where it is."
        say(str(error) if isinstance(error, Refused) else no_answer)
        return 2
    if asked.json:
        print(json.dumps(run))
    else:
        report(run)
    return 0 if run["state"] == "done" and not lost(run) else 1


def watch(runs: Iterator[dict], show: bool) -> None:
    """Draw each stage as a bar until the run has ended; say when it stalls and when it goes on."""
    columns = TextColumn("{task.description}"), BarColumn(30), TextColumn("{task.completed:9,}"), Rate()
    stalled, bars = None, {}
    with Progress(*columns, transient=True, disable=not show) as progress:
        for run in runs:
            for name, stage in run["stages"].items():
                if name not in bars:
                    bars[name] = progress.add_task(name, total=run["num_messages"])
                progress.update(bars[name], completed=stage["distinct"])
            if run["stalled"] != stalled:
                stalled = run["stalled"]
                say(f"Stalled: {stalled} waits for messages. Still watching ..." if stalled else "It goes on.")


class Rate(ProgressColumn):
    """Messages per second, over the last 30 s."""

    def render(self, task: Task) -> Text:
        speed = task.finished_speed or task.speed
        return Text("" if speed is None else f"{speed:9,.0f} msg/s")


def follow(session: requests.Session, link: str) -> Iterator[dict]:
    """The run, each time it has changed, until it has ended. When the stream breaks, goes on where it was.

    Raises Refused if there is no stream for RECONNECT_SECONDS.
    """
    headers, broken_at = {}, None
    while True:
        reason = "it ended before the run"
        try:
            with session.get(f"{link}/events", headers=headers, stream=True, timeout=TIMEOUT) as response:
                for event in parse(check(response, 200)):
                    if event.get("event") == "end":
                        return
                    if "retry" not in event:  # that comes at once, also from a server that is about to go away
                        broken_at = None
                    if event.get("event") == "run":
                        headers["Last-Event-ID"] = event["id"]
                        yield json.loads(event["data"])
        except requests.RequestException as error:
            reason = why(error)
        if broken_at is None:
            broken_at = time.monotonic()
            say(f"The event stream broke ({reason}). Trying again for {RECONNECT_SECONDS} s ...")
        elif time.monotonic() - broken_at > RECONNECT_SECONDS:
            raise Refused(f"The event stream did not come back ({reason}). The run goes on without it: {link}")
        time.sleep(1)


def parse(response: requests.Response) -> Iterator[dict[str, str]]:
    """The fields of each server-sent event; a comment is a field without a name."""
    fields = {}
    for line in response.iter_lines():
        if line:
            name, _, fields[name] = line.decode().partition(": ")
        else:
            yield fields
            fields = {}


def settled(session: requests.Session, link: str) -> dict:
    """A run that has ended, once every stage has on record all that was sent, or after SETTLE_SECONDS."""
    deadline = time.monotonic() + SETTLE_SECONDS
    while True:
        run = check(session.get(link, timeout=TIMEOUT), 200).json()
        if not lost(run) or time.monotonic() > deadline:
            return run
        time.sleep(0.1)


def lost(run: dict) -> int:
    """How many messages were sent but are not on record at every stage."""
    return max(stage["missing"] for name, stage in run["stages"].items() if name != "sent")


def report(run: dict) -> None:
    """Print a table with a column per stage, which fits into 80 characters, and a line that sums it up."""
    stages = run["stages"].values()
    table = Table("", *(Column(name, justify="right") for name in run["stages"]), box=box.SIMPLE, show_edge=False)
    for name in "messages", "distinct", "duplicates", "missing":
        table.add_row(name, *(figure(stage[name]) for stage in stages))
    for name, unit, digits in ("byte_rate", "MB/s", 2), ("message_rate", "msg/s", 0):
        table.add_row(unit, *(figure(stage[name], digits) for stage in stages))
    for name in "p50", "p90", "p99", "max":
        table.add_row(f"{name} ms", *(figure((stage["latency_ms"] or {}).get(name), 1) for stage in stages))
    Console(highlight=False).print(table)
    seconds = (datetime.fromisoformat(run["finished"]) - datetime.fromisoformat(run["created"])).total_seconds()
    ended = f"{run['state']} after {seconds:.1f} s" + (f": {run['reason']}" if run["reason"] else "")
    print(f"\n{run['num_messages']:,} messages of {run['size']:,} bytes, {ended}; {lost(run):,} lost.")


def figure(number: float | None, digits: int = 0) -> str:
    return "-" if number is None else f"{number:,.{digits}f}"


def check(response: requests.Response, status: int) -> requests.Response:
    """The response; Refused if it has another status."""
    if response.status_code == status:
        return response
    try:
        detail = response.json()["detail"]
    except (ValueError, LookupError, TypeError):  # no problem+json
        detail = f"{response.url} answers {response.status_code} {response.reason}."
    raise Refused(detail)


def why(error: requests.RequestException) -> str:
    return str(error) if isinstance(error, Refused) else type(error).__name__


def say(text: str) -> None:
    print(text, file=sys.stderr, flush=True)


if __name__ == "__main__":
    sys.exit(main())
