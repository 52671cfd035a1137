"""Both halves of the tests at once: `python -m tests.side_by_side`, which is what `make test` runs.

One half computes, the other starts real parts and mostly waits for them; one after the other they would take half as
long again. The half that waits shows its progress, the other is shown whole when both have ended.
"""

import subprocess
import sys
import tempfile
from typing import Final

COMPUTES: Final = "not integration and not tools and not faults and not benchmark"
STARTS_PARTS: Final = f"(not faults or quick) and not benchmark and not ({COMPUTES})"


def main(options: list[str]) -> int:
    """Run them with the same options of pytest; 0 when both have passed."""
    pytest = [sys.executable, "-m", "pytest", *options, "-m"]
    with tempfile.TemporaryFile() as shown:
        with subprocess.Popen([*pytest, COMPUTES], stdout=shown, stderr=subprocess.STDOUT) as computing:
            with subprocess.Popen([*pytest, STARTS_PARTS]) as waiting:
                waiting.wait()
            computing.wait()
        shown.seek(0)
        sys.stdout.buffer.write(shown.read())
        sys.stdout.flush()
    return computing.returncode or waiting.returncode


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
