"""`make bench`: every measurement, or those named (`make bench ARGS="connect"`), each in a fresh process.

A measurement is a module `bench_<name>` that prints its figures when it is run and fails when its result is wrong.
"""

import subprocess
import sys
from pathlib import Path

HERE = Path(__file__).resolve().parent


def measurements() -> list[str]:
    """The names of all measurements, in order."""
    return sorted(path.stem.removeprefix("bench_") for path in HERE.glob("bench_*.py"))


def main(chosen: list[str]) -> int:
    """Run the chosen measurements, or all; 1 when any of them failed, 2 for an unknown name."""
    known = measurements()
    if unknown := set(chosen) - set(known):
        sys.stderr.write(f"No such measurement: {', '.join(sorted(unknown))}. There are: {', '.join(known)}\n")
        return 2
    failed = []
    for name in chosen or known:
        sys.stdout.write(f"\n== {name}\n")
        sys.stdout.flush()
        if subprocess.run([sys.executable, "-m", f"tests.benchmark.bench_{name}"], check=False).returncode:
            failed.append(name)
    if failed:
        sys.stderr.write(f"\nFailed: {', '.join(failed)}\n")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
