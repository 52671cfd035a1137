"""Pinned jars: fetched from a real HTTP server on loopback, checked, and repaired when they are damaged."""

import hashlib
import threading
from collections.abc import Iterator
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
from typing_extensions import override

from streams.embedded_kafka.embedded_errors import JarsUnavailableError, NoSpaceError
from streams.embedded_kafka.jar_store import FetchProgress, JarStore, PinnedJar, read_lock

CONTENT = {"first": b"first jar" * 1000, "second": b"second jar" * 500}


def _pin(artifact: str) -> PinnedJar:
    content = CONTENT[artifact]
    return PinnedJar("org.example.parts", artifact, "1.0", hashlib.sha256(content).hexdigest(), len(content))


JARS = (_pin("first"), _pin("second"))


class MavenRepository:
    """A Maven repository in a folder, served over HTTP, that counts what it is asked for."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.asked: list[str] = []
        asked = self.asked

        class Handler(SimpleHTTPRequestHandler):
            @override
            def do_GET(self) -> None:
                if self.path.endswith(".jar"):
                    asked.append(self.path.rpartition("/")[2])
                super().do_GET()

            @override
            def log_message(self, format: str, *args: object) -> None:
                """Say nothing."""

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), partial(Handler, directory=str(folder)))
        self.address = f"http://127.0.0.1:{self.server.server_port}"

    def publish(self, jar: PinnedJar, content: bytes) -> None:
        jar.path_in(self.folder).parent.mkdir(parents=True, exist_ok=True)
        jar.path_in(self.folder).write_bytes(content)


@pytest.fixture
def maven(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[MavenRepository]:
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    repository = MavenRepository(tmp_path / "published")
    for jar in JARS:
        repository.publish(jar, CONTENT[jar.artifact])
    thread = threading.Thread(target=repository.server.serve_forever)
    thread.start()
    yield repository
    repository.server.shutdown()
    thread.join()
    repository.server.server_close()


def _store(cache: Path, maven: MavenRepository, pauses: list[float] | None = None) -> JarStore:
    note = [] if pauses is None else pauses
    return JarStore(cache, JARS, maven_repository=maven.address, pause=note.append)


def test_the_lock_file_pins_every_jar_by_content() -> None:
    jars = read_lock()
    assert len({jar.coordinates for jar in jars}) == len(jars) > 0
    assert all(len(bytes.fromhex(jar.sha256)) == hashlib.sha256().digest_size and jar.size > 0 for jar in jars)
    assert {jar.version for jar in jars if jar.group == "org.apache.kafka"} == {"4.3.1"}


def test_jars_are_fetched_once_with_progress_and_read_from_the_cache_ever_after(
    tmp_path: Path, maven: MavenRepository
) -> None:
    progress: list[FetchProgress] = []
    paths = _store(tmp_path / "cache", maven).class_path(progress.append)
    assert [path.read_bytes() for path in paths] == list(CONTENT.values())
    total = sum(map(len, CONTENT.values()))
    assert [(p.jars_done, p.bytes_done) for p in progress] == [(1, len(CONTENT["first"])), (2, total)]
    assert JarStore(tmp_path / "cache", JARS, offline=True).class_path(progress.append) == paths
    assert maven.asked == ["first-1.0.jar", "second-1.0.jar"]
    assert len(progress) == len(JARS)


@pytest.mark.parametrize("damage", [b"", b"short", b"x" * len(CONTENT["first"])])
def test_a_damaged_jar_is_noticed_and_fetched_again(tmp_path: Path, maven: MavenRepository, damage: bytes) -> None:
    first, _ = _store(tmp_path / "cache", maven).class_path()
    first.write_bytes(damage)
    pauses: list[float] = []
    _store(tmp_path / "cache", maven, pauses).class_path()
    assert first.read_bytes() == CONTENT["first"]
    assert not pauses
    assert maven.asked == ["first-1.0.jar", "second-1.0.jar", "first-1.0.jar"]


def test_another_content_than_the_pinned_one_is_refused_and_not_kept(tmp_path: Path, maven: MavenRepository) -> None:
    maven.publish(JARS[0], b"planted")
    pauses: list[float] = []
    with pytest.raises(JarsUnavailableError, match=r"org\.example\.parts:first:1\.0.*sha256 differs"):
        _store(tmp_path / "cache", maven, pauses).class_path()
    assert not JARS[0].path_in(tmp_path / "cache" / "jars").exists()
    assert maven.asked == ["first-1.0.jar"] * 3
    assert pauses == [1, 2]


def test_a_jar_that_nobody_has_names_cause_and_way_out(tmp_path: Path, maven: MavenRepository) -> None:
    JARS[1].path_in(maven.folder).unlink()
    with pytest.raises(JarsUnavailableError, match=r"second:1\.0 could not be fetched.*--kafka HOST:PORT"):
        _store(tmp_path / "cache", maven).class_path()


def test_offline_without_a_cache_asks_nobody_and_says_what_to_do(tmp_path: Path) -> None:
    store = JarStore(tmp_path, JARS, offline=True)
    with pytest.raises(JarsUnavailableError, match=r"2 of Kafka's 2 jars .* offline is set\. Connect this machine"):
        store.class_path()


def test_a_repository_that_does_not_answer_is_told_in_one_line(tmp_path: Path, maven: MavenRepository) -> None:
    maven.server.server_close()
    with pytest.raises(JarsUnavailableError, match="Connection refused"):
        _store(tmp_path / "cache", maven).class_path()


def test_a_cache_that_cannot_be_written_is_told_as_such(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(NoSpaceError, match=r"cannot be kept in .*file/cache.*XDG_CACHE_HOME"):
        JarStore(tmp_path / "file" / "cache", JARS).class_path()
