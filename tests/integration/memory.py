"""The memory of processes, as Linux counts it."""

from pathlib import Path


def children(pid: int) -> list[int]:
    """Return the child processes of a process, such as gunicorn's workers."""
    return [int(child) for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]


def resident(pid: int) -> int:
    """Return the memory that the process uses now, in bytes."""
    return _memory(pid, "VmRSS")


def peak(pid: int) -> int:
    """Return the most memory that the process has used so far, in bytes."""
    return _memory(pid, "VmHWM")


def _memory(pid: int, name: str) -> int:
    status = dict(line.split(":", 1) for line in Path(f"/proc/{pid}/status").read_text().splitlines())
    return int(status[name].split()[0]) * 1024
