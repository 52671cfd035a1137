"""The command line of a broker's JVM, and the name of the start-up archive that fits it.

Pure but for the time stamps of files, which a JVM checks too before it trusts an archive. `broker_process` runs the
command, `aot_cache` makes the archive.
"""

import hashlib
from dataclasses import dataclass
from pathlib import Path

from streams.embedded_kafka.kafka_runtime import KafkaInstallation

FIRST_WITH_AOT = 25  # one-step AOT caches (JEP 514); before that, AppCDS archives made at exit
FIRST_WITH_WARNINGS = 24  # warns of native access and sun.misc.Unsafe, both of which Kafka's libraries use


@dataclass(frozen=True, slots=True)
class JvmProfile:
    """How much a broker's JVM may take.

    Attributes:
        heap_mb: Largest heap, in MB.
        quick_compiler: Only the first compiler tier: starts sooner and takes less memory, but runs at half the speed.
    """

    heap_mb: int = 128
    quick_compiler: bool = True

    def flags(self) -> list[str]:
        """As the JVM wants them."""
        flags = ["-XX:+UseSerialGC", "-Xms32m", f"-Xmx{self.heap_mb}m", "-Xss512k"]
        if self.quick_compiler:
            flags.append("-XX:TieredStopAtLevel=1")
        return [*flags, "-Dorg.slf4j.simpleLogger.defaultLogLevel=warn", "-Dorg.slf4j.simpleLogger.showDateTime=true"]


SMALL = JvmProfile()  # demonstrations and tests
THROUGHPUT = JvmProfile(heap_mb=512, quick_compiler=False)  # benchmarks: the broker must not be what is measured


def archive_path(installation: KafkaInstallation, profile: JvmProfile) -> Path:
    """Where the archive for exactly this Java, these jars and these flags is kept, whether it exists or not."""
    java = installation.java
    parts = [str(java.executable), *profile.flags()]
    for file in (java.executable.resolve(), *installation.class_path):
        parts += [str(file), str(file.stat().st_mtime_ns)]
    fingerprint = hashlib.sha256("\0".join(parts).encode()).hexdigest()[:12]
    suffix = "aot" if java.major >= FIRST_WITH_AOT else "jsa"
    return installation.cache / f"kafka-java{java.major}-{fingerprint}.{suffix}"


def java_command(
    installation: KafkaInstallation, profile: JvmProfile, config: Path, *, record: Path | None = None
) -> list[str]:
    """The command that runs a broker with the configuration in `config`.

    Args:
        installation: Java and the jars.
        profile: Memory and compiler.
        config: The `server.properties`.
        record: Make a start-up archive at this path when the broker ends, instead of using one.
    """
    java = installation.java
    aot = java.major >= FIRST_WITH_AOT
    flags = profile.flags()
    archive = archive_path(installation, profile)
    if record:
        flags.append(f"-XX:{'AOTCacheOutput' if aot else 'ArchiveClassesAtExit'}={record}")
    elif archive.exists():
        # A JVM that finds the archive unfit says so and starts without it.
        flags.append(f"-XX:{'AOTCache' if aot else 'SharedArchiveFile'}={archive}")
    if java.major >= FIRST_WITH_WARNINGS:
        flags += ["--sun-misc-unsafe-memory-access=allow", "--enable-native-access=ALL-UNNAMED", "-Xlog:aot*=error"]
    class_path = ":".join(str(jar) for jar in installation.class_path)
    return [str(java.executable), *flags, "-cp", class_path, "kafka.Kafka", str(config)]
