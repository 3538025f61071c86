"""The request for a run, and its limits. The API checks the numbers, and the services check them again."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Protocol, Self
from uuid import UUID

MAX_RATE = 1_000_000

LONGEST_RUN_SECONDS = 25 * 60
"""The limit of a paced run. RabbitMQ takes a call back if it is not acknowledged within 30 minutes."""


class Limits(Protocol):
    """The limits that a user sets. `messaging.settings.Settings` has them."""

    @property
    def max_messages(self) -> int: ...
    @property
    def max_size(self) -> int: ...
    @property
    def max_bytes(self) -> int: ...


@dataclass(frozen=True)
class Request:
    """A run as it was asked for: `size` in bytes per message, `created` in microseconds since the epoch."""

    run: UUID
    service: str
    num_messages: int
    size: int
    created: int
    rate: int | None = None
    """Messages per second of a paced run. None: as fast as Kafka takes them."""

    def as_json(self) -> dict[str, object]:
        """Return the request as members of a JSON object, for `from_json`."""
        return {
            "service": self.service,
            "num_messages": self.num_messages,
            "size": self.size,
            "created": self.created,
            "rate": self.rate,
        }

    @classmethod
    def from_json(cls, run: UUID, members: Mapping[str, Any]) -> Self:
        """Raises KeyError if members are missing. Older records have no rate."""
        members = {"rate": None, **members}
        return cls(run, *(members[name] for name in ("service", "num_messages", "size", "created", "rate")))


def check_limits(num_messages: int, size: int, limits: Limits, rate: int | None = None) -> None:
    """Raise ValueError, with a sentence for the user, unless the numbers are within the limits."""
    _check("num_messages", num_messages, 1, limits.max_messages, "messages")
    _check("size", size, 0, limits.max_size, "bytes")
    # The total size has its own limit, because MAX_MESSAGES messages of MAX_SIZE bytes would take a terabyte in Kafka.
    total = num_messages * size
    if total > limits.max_bytes:
        raise ValueError(f"num_messages times size must be at most {limits.max_bytes} (bytes), not {total}.")
    if rate is not None:
        _check("rate", rate, 1, MAX_RATE, "messages per second")
        if num_messages / rate > LONGEST_RUN_SECONDS:
            raise ValueError(
                f"{num_messages} messages at {rate} per second take {num_messages / rate:.1f} s, and a run may take at"
                f" most {LONGEST_RUN_SECONDS} s. Raise rate, or lower num_messages."
            )


def _check(name: str, value: int, least: int, most: int, unit: str) -> None:
    if type(value) is not int or not least <= value <= most:
        raise ValueError(f"{name} must be a whole number from {least} to {most} ({unit}), not {value!r}.")
