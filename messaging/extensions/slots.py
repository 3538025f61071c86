"""Names for instances. An instance that is started again has the same name, even after it was killed."""

import fcntl
import os
import socket
import tempfile
from itertools import count
from pathlib import Path

DIRECTORY = Path(tempfile.gettempdir()) / "nameko-kafka-slots"


def take_slot(service: str, directory: Path = DIRECTORY) -> str:
    """Take and keep the lowest slot of a service that no other process on this host has. Return its name.

    In containers, instances differ by host name, and all have slot 0.
    """
    directory.mkdir(parents=True, exist_ok=True)
    number = next(number for number in count() if _is_taken(directory / f"{service}.{number}"))
    return f"{service}-{socket.gethostname()}-{number}"


def _is_taken(path: Path) -> bool:
    """Lock a file until this process ends in any way. Return False if another process has it."""
    file = os.open(path, os.O_RDWR | os.O_CREAT, 0o666)
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(file)
        return False
    return True
