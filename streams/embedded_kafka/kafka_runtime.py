"""Where the parts of an embedded Kafka come from on this machine: cache, Java, network. `EmbeddedKafka` needs one."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from streams.embedded_kafka.jar_store import FetchProgress, JarStore, read_lock
from streams.embedded_kafka.java_runtime import JavaRuntime, find_java


@dataclass(frozen=True, slots=True)
class KafkaInstallation:
    """All that a broker is started from: a Java, the class path, and the cache that may hold an archive for both."""

    java: JavaRuntime
    class_path: tuple[Path, ...]
    cache: Path


@dataclass(frozen=True, slots=True, kw_only=True)
class KafkaRuntime:
    """Where to look for Kafka and Java.

    Attributes:
        cache: Folder for the jars and the start-up archives; made when absent.
        java_home: Value of JAVA_HOME.
        search_path: Value of PATH.
        offline: Never ask the network.
        maven_repository: Address of a repository to ask instead of the public one.
    """

    cache: Path
    java_home: str | None = None
    search_path: str | None = None
    offline: bool = False
    maven_repository: str | None = None

    @classmethod
    def from_environment(cls, environ: Mapping[str, str], home: Path) -> "KafkaRuntime":
        """By the usual variables (XDG_CACHE_HOME, JAVA_HOME, PATH) of a given environment."""
        root = environ.get("XDG_CACHE_HOME", "")
        # The XDG specification has relative paths ignored.
        base = Path(root) if Path(root).is_absolute() else home / ".cache"
        return cls(
            cache=base / "careline" / "kafka",
            java_home=environ.get("JAVA_HOME"),
            search_path=environ.get("PATH"),
        )

    def install(self, on_progress: Callable[[FetchProgress], None] | None = None) -> KafkaInstallation:
        """Find Java and have every jar in the cache; after the first time this is a matter of checking 38 MB.

        Raises:
            JavaMissingError: No Java 17 or newer.
            JarsUnavailableError: A jar is missing and cannot be fetched.
            NoSpaceError: The cache cannot be written.
        """
        java = find_java(self.java_home, self.search_path)
        store = JarStore(self.cache, read_lock(), offline=self.offline, maven_repository=self.maven_repository)
        return KafkaInstallation(java, tuple(store.class_path(on_progress)), self.cache)
