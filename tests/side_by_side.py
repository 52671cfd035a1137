"""Tests at once: `python -m tests.side_by_side WAITING COMPUTING`, which `make test` runs with both halves of them.

Each half is what pytest's `-m` selects. One starts real parts and mostly waits for them, the other computes; one after
the other they would take half as long again. The half that waits shows its progress, the other is shown whole when both
have ended.
"""

import subprocess
import sys
import tempfile


def main(waiting: str, computing: str) -> int:
    """Run both halves; 0 when both have passed, 130 after Ctrl-C, which ends them as well."""
    pytest = [sys.executable, "-m", "pytest", "-m"]
    with tempfile.TemporaryFile() as shown:
        try:
            with subprocess.Popen([*pytest, computing], stdout=shown, stderr=subprocess.STDOUT) as other:
                status = subprocess.run([*pytest, waiting], check=False).returncode
        except KeyboardInterrupt:
            return 130
        finally:
            shown.seek(0)
            sys.stdout.buffer.write(shown.read())
            sys.stdout.flush()
    return status or other.returncode


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
