"""Kafka's jars: pinned by checksum in `jars.lock.toml`, fetched once per user, read from the cache ever after.

jgo fetches each jar by its coordinates, without POMs and without Maven itself. It writes files in place, only warns of
a wrong checksum and never looks again at a file that exists; so this module checks every file against the pinned sha256
on every start, drops what is wrong, tries again, and lets one process at a time write. `launch_command` has them next.
"""

import errno
import fcntl
import hashlib
import importlib
import shutil
import time
import tomllib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from streams.embedded_kafka.embedded_errors import JarsUnavailableError, NoSpaceError

LOCK_FILE = Path(__file__).with_name("jars.lock.toml")
TIMEOUT_SECONDS = 30
ATTEMPTS = 3
# The jars take 38 MB; the rest is room for the start-up archive beside them and for a half-written file.
NEEDED_BYTES = 150_000_000


@dataclass(frozen=True, slots=True)
class PinnedJar:
    """One jar by its coordinates, the sha256 of its content and its size in bytes."""

    group: str
    artifact: str
    version: str
    sha256: str
    size: int

    @property
    def coordinates(self) -> str:
        """As people write it: `group:artifact:version`."""
        return f"{self.group}:{self.artifact}:{self.version}"

    def path_in(self, repository: Path) -> Path:
        """Where a local repository keeps it."""
        name = f"{self.artifact}-{self.version}.jar"
        return repository.joinpath(*self.group.split("."), self.artifact, self.version, name)

    def is_intact(self, repository: Path) -> bool:
        """Whether the repository holds it with exactly the pinned content."""
        path = self.path_in(repository)
        try:
            if path.stat().st_size != self.size:
                return False
            with path.open("rb") as content:
                return hashlib.file_digest(content, "sha256").hexdigest() == self.sha256
        except FileNotFoundError:
            return False


@dataclass(frozen=True, slots=True)
class FetchProgress:
    """How far a fetch is, in jars and in bytes of all the jars together."""

    jars_done: int
    jars_total: int
    bytes_done: int
    bytes_total: int
    jar: str


def read_lock(lock_file: Path = LOCK_FILE) -> tuple[PinnedJar, ...]:
    """The pinned jars in the order of the class path."""
    with lock_file.open("rb") as text:
        entries = tomllib.load(text)["dependencies"]
    return tuple(
        PinnedJar(
            group=entry["groupId"],
            artifact=entry["artifactId"],
            version=entry["version"],
            sha256=entry["sha256"],
            size=entry["size"],
        )
        for entry in entries
    )


class JarStore:
    """The cached jars of one user.

    Args:
        cache: Folder of the cache; made when absent.
        jars: What is pinned.
        offline: Never ask the network.
        maven_repository: Address of a Maven repository to ask instead of the public one, for those behind a mirror.
        pause: Waits the given seconds before another attempt.
    """

    def __init__(
        self,
        cache: Path,
        jars: tuple[PinnedJar, ...],
        *,
        offline: bool = False,
        maven_repository: str | None = None,
        pause: Callable[[float], object] = time.sleep,
    ) -> None:
        """Nothing is read or fetched yet."""
        self.repository = cache / "jars"
        self._cache = cache
        self._jars = jars
        self._offline = offline
        self._maven_repository = maven_repository
        self._pause = pause

    def class_path(self, on_progress: Callable[[FetchProgress], None] | None = None) -> list[Path]:
        """Every jar, present and checked; fetched first where it is missing or damaged.

        Args:
            on_progress: Told after each jar that had to be fetched, and never called when nothing has to be.

        Raises:
            JarsUnavailableError: Offline, or the repository does not answer, or answers with other content.
            NoSpaceError: The cache cannot be written.
        """
        with _disk_errors(self._cache):
            if self._missing():
                with self._writing_alone():
                    self._fetch_all(self._missing(), on_progress)
        return [jar.path_in(self.repository) for jar in self._jars]

    def _missing(self) -> list[PinnedJar]:
        return [jar for jar in self._jars if not jar.is_intact(self.repository)]

    @contextmanager
    def _writing_alone(self) -> Iterator[None]:
        """Two processes at once would read each other's half-written files."""
        self._cache.mkdir(parents=True, exist_ok=True)
        with (self._cache / "jars.lock").open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            yield

    def _fetch_all(self, missing: list[PinnedJar], on_progress: Callable[[FetchProgress], None] | None) -> None:
        if not missing:
            return
        if self._offline:
            cause = f"{len(missing)} of Kafka's {len(self._jars)} jars are not in {self.repository} and offline is set"
            raise JarsUnavailableError(cause, _ways_out(self.repository))
        if shutil.disk_usage(self._cache).free < NEEDED_BYTES:
            raise OSError(errno.ENOSPC, "less than 150 MB are free", str(self._cache))
        bytes_total = sum(jar.size for jar in self._jars)
        bytes_done = bytes_total - sum(jar.size for jar in missing)
        for number, jar in enumerate(missing, start=1):
            self._fetch(jar)
            bytes_done += jar.size
            if on_progress:
                jars_done = len(self._jars) - len(missing) + number
                on_progress(FetchProgress(jars_done, len(self._jars), bytes_done, bytes_total, jar.artifact))

    def _fetch(self, jar: PinnedJar) -> None:
        reason = ""
        for attempt in range(ATTEMPTS):
            jar.path_in(self.repository).unlink(missing_ok=True)
            try:
                self._resolve(jar)
            except OSError as error:  # the errors of requests are OSErrors too, without an errno
                if error.errno in {errno.ENOSPC, errno.EDQUOT, errno.EROFS, errno.EACCES, errno.EPERM}:
                    raise
                reason = _root_cause(error)
            except (RuntimeError, AssertionError) as error:  # jgo: no repository has it
                reason = str(error)
            else:
                if jar.is_intact(self.repository):
                    return
                reason = "its content is not what was pinned (sha256 differs)"
                jar.path_in(self.repository).unlink(missing_ok=True)
            if attempt + 1 < ATTEMPTS:
                self._pause(1 + attempt)
        jar.path_in(self.repository).unlink(missing_ok=True)
        cause = f"Kafka's jar {jar.coordinates} could not be fetched: {reason}"
        raise JarsUnavailableError(cause, _ways_out(self.repository))

    def _resolve(self, jar: PinnedJar) -> None:
        # Imported here because only a first start needs it: importing jgo takes longer than checking all the jars.
        maven = importlib.import_module("jgo.maven")
        remotes = {"mirror": self._maven_repository} if self._maven_repository else None
        context = maven.MavenContext(repo_cache=self.repository, remote_repos=remotes, timeout=TIMEOUT_SECONDS)
        context.project(jar.group, jar.artifact).at_version(jar.version).artifact().resolve()


@contextmanager
def _disk_errors(folder: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        cause = f"Kafka's jars cannot be kept in {folder}: {error.strerror or error}"
        raise NoSpaceError(cause, "Free some space, or point XDG_CACHE_HOME at a folder that can be written") from error


def _root_cause(error: OSError) -> str:
    """What is inside an error of requests: it wraps the one line that matters in three others."""
    inner = error.args[0] if error.args else None
    return str(getattr(inner, "reason", None) or error)


def _ways_out(repository: Path) -> str:
    return (
        "Connect this machine to the internet once (38 MB, kept afterwards), "
        f"or copy {repository} from a machine that has it, or use a Kafka that is running already (--kafka HOST:PORT)"
    )
