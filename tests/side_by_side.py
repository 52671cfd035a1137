"""Tests at once: `python -m tests.side_by_side ONE OTHER`, which `make test` runs with both halves of them.

Each half is what pytest's `-m` selects. Many tests start real parts and mostly wait for them, many compute; one after
the other they would take half as long again. One half shows its progress, the other is shown whole when both have
ended.
"""

import subprocess
import sys
import tempfile


def main(shown_now: str, shown_after: str) -> int:
    """Run both halves; 0 when both have passed, 130 after Ctrl-C, which ends them as well."""
    pytest = [sys.executable, "-m", "pytest", "-m"]
    with tempfile.TemporaryFile() as told:
        try:
            with subprocess.Popen([*pytest, shown_after], stdout=told, stderr=subprocess.STDOUT) as other:
                status = subprocess.run([*pytest, shown_now], check=False).returncode
        except KeyboardInterrupt:
            return 130
        finally:
            told.seek(0)
            sys.stdout.buffer.write(told.read())
            sys.stdout.flush()
    return status or other.returncode


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
