"""Names for instances that stay the same when an instance is started again, also after it was killed."""

import fcntl
import os
import socket
import tempfile
from itertools import count
from pathlib import Path

DIRECTORY = Path(tempfile.gettempdir()) / "nameko-kafka-slots"


def take_slot(service: str, directory: Path = DIRECTORY) -> str:
    """Return the name of the lowest slot of a service that no other process on this host has, and keep it.

    In a container the host name alone tells instances apart, and all have slot 0.
    """
    directory.mkdir(parents=True, exist_ok=True)
    number = next(number for number in count() if _is_taken(directory / f"{service}.{number}"))
    return f"{service}-{socket.gethostname()}-{number}"


def _is_taken(path: Path) -> bool:
    """Lock a file for as long as this process lives, however it ends; return False if another one has it."""
    file = os.open(path, os.O_RDWR | os.O_CREAT, 0o666)
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(file)
        return False
    return True
