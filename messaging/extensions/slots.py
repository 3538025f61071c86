"""Names for instances. An instance that is started again has the same name, even after it was killed."""

import fcntl
import os
import socket
import tempfile
from contextlib import suppress
from itertools import count
from pathlib import Path

DIRECTORY = Path(tempfile.gettempdir()) / "nameko-kafka-slots"


def take_slot(service: str, directory: Path = DIRECTORY) -> str:
    """Take the lowest free slot of a service on this host until this process ends. Return the slot's name.

    In containers, each instance has its own host name, and slot 0.
    """
    with suppress(FileExistsError):
        directory.mkdir()
        directory.chmod(0o1777)  # as /tmp: other users of this host can add slots, too
    number = next(number for number in count() if _take(directory / f"{service}.{number}"))
    return f"{service}-{socket.gethostname()}-{number}"


def _take(path: Path) -> bool:
    """Lock a file. The lock ends with this process. Return False if another process or user has it."""
    try:
        file = os.open(path, os.O_RDWR | os.O_CREAT)
    except PermissionError:
        if path.exists():
            return False
        raise
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(file)
        return False
    return True
