"""Names for instances that stay the same when an instance is started again, also after it was killed."""

import fcntl
import socket
import tempfile
from itertools import count
from pathlib import Path
from typing import IO

DIRECTORY = Path(tempfile.gettempdir()) / "nameko-kafka-slots"

_held: list[IO[str]] = []
"""The lock files of this process. The lock goes with the process, however it ends."""


def take_slot(service: str, directory: Path = DIRECTORY) -> str:
    """Return the name of the lowest slot of a service that no other process on this host has, and keep it.

    In a container the host name alone tells instances apart, and all have slot 0.
    """
    directory.mkdir(parents=True, exist_ok=True)
    for number in count():
        file = (directory / f"{service}.{number}").open("w")
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            file.close()
        else:
            _held.append(file)
            return f"{service}-{socket.gethostname()}-{number}"
    raise AssertionError("the numbers do not end")
