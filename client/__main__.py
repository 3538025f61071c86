"""The terminal client: `python -m client ping 100000 100` begins a run, shows it live, and prints a summary.

`python -m client verify RUN` counts the messages of a run in Kafka.

Exit codes: 0 everything arrived; 1 something was lost, or the run is not `done`; 2 wrong usage, or the API refuses
or cannot be reached, or stdout cannot be written; 130 Ctrl-C. The link, the live bars and the result go to stdout. All
other messages go to stderr. `client.verify.command` has the exit codes of `verify`.
"""

import argparse
import errno
import json
import os
import sys

from client.http import Api, ApiError, Refused
from client.report import report
from client.verify import command as verify
from client.watch import watch

SERVICES = "ping", "pong"
CANNOT_WRITE = errno.EPIPE, errno.ENOSPC
"""The reader of a pipe has ended, or the disk is full."""


def main(arguments: list[str] | None = None) -> int:
    """Carry out a command and return its exit code."""
    asked = parse(arguments)
    with Api(asked.api) as api:
        try:
            exit_code: int = asked.carry_out(api, asked)
            sys.stdout.flush()
        except OSError as error:
            if error.errno not in CANNOT_WRITE:
                raise
            # Python flushes stdout once more when it ends. Without this, it would print a traceback.
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
            say(f"The output cannot be written: {error.strerror}.")
            return 2
        except Refused as error:
            say(str(error))
            return 2
        except ApiError as error:
            say(f"{api.url} does not answer ({error}). Start it with `make run`, or say with --api where it is.")
            return 2
    return exit_code


def parse(arguments: list[str] | None = None) -> argparse.Namespace:
    """Parse the command line. The result has a function `carry_out(api, arguments)`, which returns the exit code."""
    defaults = argparse.Namespace(api=f"http://localhost:{os.environ.get('API_PORT') or 8000}", json=False)
    # Options may come before or after the command, so the main parser and each command's parser have these options.
    # The main parser reads the command line first. Without SUPPRESS, the defaults of the command's parser would then
    # replace the values of the options before the command.
    options = argparse.ArgumentParser(add_help=False, argument_default=argparse.SUPPRESS)
    options.add_argument("--api", type=url, metavar="URL", help=f"default: {defaults.api}")
    options.add_argument("--json", action="store_true", help="print only the result, as JSON, at the end")
    about = "Begin a run and watch it to its end."
    parser = argparse.ArgumentParser(prog="python -m client", description=about, parents=[options])
    commands = parser.add_subparsers(title="commands", metavar="COMMAND", required=True)
    for service in SERVICES:
        begin = commands.add_parser(service, help=f"tell {service} to send messages", parents=[options])
        begin.add_argument("num_messages", type=int)
        begin.add_argument("size", type=int, help="size of each message, in bytes")
        begin.add_argument("--rate", type=int, metavar="N", help="N messages per second; default: as fast as possible")
        begin.set_defaults(carry_out=begin_run, service=service)
    about = "Count the messages of a run in Kafka, and compare the counts with the API."
    verify.add_arguments(commands.add_parser("verify", help=about, description=about, parents=[options]))
    return parser.parse_args(arguments, defaults)


def url(text: str) -> str:
    """Return the URL with its scheme, which may be missing: `localhost:8000`."""
    return text if "://" in text else f"http://{text}"


def begin_run(api: Api, asked: argparse.Namespace) -> int:
    """Begin a run, watch it, and print a summary."""
    link = f"{api.url}/runs"
    try:
        link = api.start(asked.service, asked.num_messages, asked.size, asked.rate)
        if not asked.json:
            print(f"Run {link}", flush=True)
        # Without a terminal, rich would print an empty line at the end.
        watch(api.follow(link, say), say, show=not asked.json and sys.stdout.isatty())
        run = api.get_last(link)
    except KeyboardInterrupt:
        say(f"No longer watching. The run may go on: {link}")
        return 130
    if asked.json:
        print(json.dumps(run.json))
    else:
        report(run)
    return 0 if run.is_complete else 1


def say(text: str) -> None:
    print(text, file=sys.stderr, flush=True)


if __name__ == "__main__":
    sys.exit(main())
