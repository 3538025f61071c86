"""Parameters of HTTP requests as typed values. Pure. Functions raise BadParameter, with a sentence for the user."""

import re
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import dataclass
from urllib.request import parse_http_list
from uuid import UUID, uuid4

from messaging.runs.request import Request, check_limits
from messaging.settings import Settings

PAGE = 100
"""A page of GET /runs has at most this many runs."""

NUMBER = re.compile("[0-9]{1,18}")
"""1 to 18 plain ASCII digits: no signs, no spaces, no digits of other scripts."""

PREFERENCE = re.compile(r"""([!#$%&'*+.^`|~\w-]+)\s*+(?:=\s*+("[^"]*"|[^\s;"]*))?\s*+(?:;.*)?""", re.ASCII)
"""A preference is a name, with or without a value. Its parameters are ignored.

With `*` instead of `*+`, a header of many spaces would take seconds."""


class BadParameter(ValueError):
    """A parameter is invalid."""


@dataclass(frozen=True)
class Numbers:
    """The number and size of the messages, within the limits. A paced run also has its messages per second."""

    num_messages: int
    size: int
    rate: int | None = None


@dataclass(frozen=True)
class Preferences:
    """The preferences (RFC 7240) that the API applies: answer without waiting, or wait for some seconds."""

    respond_async: bool = False
    wait: int | None = None

    def __bool__(self) -> bool:
        return self.respond_async or self.wait is not None

    @property
    def applied(self) -> str:
        """The value of Preference-Applied."""
        applied = ["respond-async"] if self.respond_async else []
        if self.wait is not None:
            applied.append(f"wait={self.wait}")
        return ", ".join(applied)


def parse_numbers(num_messages: str, size: str, settings: Settings, rate: str | None = None) -> Numbers:
    numbers = Numbers(
        parse_number("num_messages", num_messages),
        parse_number("size", size),
        None if rate is None else parse_number("rate", rate),
    )
    try:
        check_limits(numbers.num_messages, numbers.size, settings, numbers.rate)
    except ValueError as error:
        raise BadParameter(str(error)) from None
    return numbers


def check_wait(run: Request, request_timeout: int) -> None:
    """Raise BadParameter if a paced run takes `request_timeout` seconds or longer, because its GET would time out."""
    if run.rate is not None and run.num_messages / run.rate >= request_timeout:
        raise BadParameter(
            f"{run.num_messages} messages at {run.rate} per second take {run.num_messages / run.rate:.1f} s, but a GET"
            f" must end in less than {request_timeout} s. Use POST, which does not wait."
        )


def parse_preferences(header: str, longest_wait: int) -> Preferences:
    """Read the header Prefer. Ignore preferences that cannot be applied.

    If a preference is repeated, only the first one counts.
    """
    values: dict[str, str] = {}
    for item in parse_http_list(header):
        if preference := PREFERENCE.fullmatch(item):
            name, value = preference.groups(default="")
            values.setdefault(name.lower(), value.strip('"'))
    wait = values.get("wait", "")
    return Preferences(
        respond_async=values.get("respond-async") == "",
        wait=min(int(wait), longest_wait) if NUMBER.fullmatch(wait) else None,
    )


def parse_key(header: str | None) -> UUID | None:
    """Read the header Idempotency-Key; return None if there is none."""
    return None if header is None else parse_id("Idempotency-Key", header)


def parse_query(pairs: Iterable[tuple[str, str]], *known: str) -> dict[str, str]:
    """Return the parameters of a query string. Raises BadParameter if a parameter is unknown or repeated.

    An unknown parameter is not ignored, because its name may be misspelt.
    """
    query: dict[str, str] = {}
    for name, value in pairs:
        if name not in known:
            expected = f"only {' and '.join(known)}" if known else "none"
            raise BadParameter(f"There is no query parameter {name[:50]!r} here. This path accepts {expected}.")
        if name in query:
            raise BadParameter(f"The query parameter {name} is repeated; give it once.")
        query[name] = value
    return query


def parse_page(pairs: Iterable[tuple[str, str]]) -> tuple[int, UUID | None]:
    """Read `limit` and `before` of GET /runs."""
    query = parse_query(pairs, "limit", "before")
    limit = parse_number("limit", query.get("limit", "20"))
    if not 1 <= limit <= PAGE:
        raise BadParameter(f"limit must be a whole number from 1 to {PAGE}, not {limit}.")
    before = query.get("before")
    return limit, None if before is None else parse_id("before", before)


def parse_last_event_id(header: str | None) -> int:
    """Return the number in the header Last-Event-ID. If the header has no number, return -1.

    The id of every `run` event is greater than -1.
    """
    return int(header) if header and NUMBER.fullmatch(header) else -1


def parse_number(name: str, text: str) -> int:
    if not NUMBER.fullmatch(text):
        raise BadParameter(f"{name} must be a whole number of 1 to 18 digits, such as 1000, not {text[:50]!r}.")
    return int(text)


def parse_id(name: str, text: str) -> UUID:
    """Read a UUID in its usual form."""
    with suppress(ValueError):
        if str(UUID(text)) == text.lower():
            return UUID(text)
    raise BadParameter(f"{name} must be a UUID such as {uuid4()}, not {text[:50]!r}.")
