"""TCP ports on loopback: reads a port from the settings, and finds free ports."""

import random
import socket
from collections.abc import Mapping

from . import LocalError

HOST = "127.0.0.1"


def port_from(settings: Mapping[str, str], name: str, default: int) -> int:
    """Return the port in a setting, or the default. Raises LocalError if the setting is not a port."""
    text = settings.get(name) or str(default)
    if not (text.isascii() and text.isdigit() and 0 < int(text) < 65536):
        raise LocalError(f"{name} must be a port, a number from 1 to 65535, not {text!r}.")
    return int(text)


def free_port() -> int:
    """Return a free port below 32768. Linux uses higher ports for outgoing connections.

    While a broker with a higher port restarts, Linux could give the port to a client that tries to reach the broker.
    """
    return next(port for port in iter(lambda: random.randrange(10_000, 32_768), None) if is_free(port))


def is_free(port: int) -> bool:
    return why_not_free(port) is None


def why_not_free(port: int) -> str | None:
    """Return the system's reason why no program can listen on this port now. None if the port is free."""
    with socket.socket() as probe:
        # The brokers and gunicorn set this too. With it, old connections that are still closing do not block the port.
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((HOST, port))
        except OSError as error:
            return error.strerror
    return None
