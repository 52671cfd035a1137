"""How much memory a process holds, as Linux tells it."""

import os
from pathlib import Path


def resident_mb(pid: int | str = "self") -> float:
    """Resident memory in MB."""
    pages = int(Path(f"/proc/{pid}/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE") / 1e6
