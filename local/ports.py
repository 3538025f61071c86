"""TCP ports on loopback: the port of a setting, and free ports."""

import random
import socket
from collections.abc import Mapping

from . import LocalError

HOST = "127.0.0.1"


def port_from(settings: Mapping[str, str], name: str, default: int) -> int:
    """Return the port that a setting names. Raises LocalError if it is not a port."""
    text = settings.get(name) or str(default)
    if not (text.isascii() and text.isdigit() and 0 < int(text) < 65536):
        raise LocalError(f"{name} must be a port, a number from 1 to 65535, not {text!r}.")
    return int(text)


def free_port() -> int:
    """Return a free port below 32768. Linux gives higher ones to outgoing connections.

    A higher port could go to a client that tries to reach the broker while it restarts.
    """
    return next(port for port in iter(lambda: random.randrange(10_000, 32_768), None) if is_free(port))


def is_free(port: int) -> bool:
    return why_not_free(port) is None


def why_not_free(port: int) -> str | None:
    """Return why no program can listen on this port now, in the system's words. None if one can."""
    with socket.socket() as probe:
        # As the brokers and gunicorn do. Old connections that are still closing do not block the port.
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((HOST, port))
        except OSError as error:
            return error.strerror
    return None
