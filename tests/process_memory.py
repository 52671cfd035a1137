"""How much memory a process holds, as Linux tells it."""

import os
from pathlib import Path


def resident_mb(pid: int | str = "self") -> float:
    """Resident memory in MB."""
    pages = int(Path(f"/proc/{pid}/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE") / 1e6


def most_resident_mb(pid: int | str = "self") -> float:
    """The most resident memory it has ever held, in MB."""
    for line in Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith("VmHWM:"):
            return int(line.split()[1]) * 1024 / 1e6
    raise LookupError(f"/proc/{pid}/status tells no VmHWM")
