"""The memory and CPU time of a process, from Linux's /proc."""

import os
from pathlib import Path

CLOCK_TICKS = os.sysconf("SC_CLK_TCK")


def resident_mb(pid: int) -> float:
    """Return the resident memory of a process in MB (10^6 bytes)."""
    status = Path(f"/proc/{pid}/status").read_text()
    kib = next(int(line.split()[1]) for line in status.splitlines() if line.startswith("VmRSS:"))
    return kib * 1024 / 1e6


def cpu_seconds(pid: int) -> float:
    """Return the CPU time that all threads of a process have used so far: user plus system time."""
    # Field 2 is the command's name, in parentheses. The name can contain spaces and parentheses, so we split only the
    # text after the last parenthesis. This text begins with field 3.
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    user, system = fields[14 - 3], fields[15 - 3]
    return (int(user) + int(system)) / CLOCK_TICKS
