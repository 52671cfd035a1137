"""The command line of a broker's JVM, and which archive it starts from."""

from pathlib import Path

import pytest

from streams.embedded_kafka.java_runtime import JavaRuntime
from streams.embedded_kafka.kafka_runtime import KafkaInstallation, KafkaRuntime
from streams.embedded_kafka.launch_command import SMALL, THROUGHPUT, archive_path, java_command


def _installation(folder: Path, major: int) -> KafkaInstallation:
    for name in ("java", "kafka.jar", "scala.jar"):
        (folder / name).touch()
    return KafkaInstallation(JavaRuntime(folder / "java", major), (folder / "kafka.jar", folder / "scala.jar"), folder)


@pytest.mark.parametrize(
    ("major", "use", "make"), [(17, "SharedArchiveFile", "ArchiveClassesAtExit"), (25, "AOTCache", "AOTCacheOutput")]
)
def test_an_archive_is_used_when_it_exists_and_made_when_asked(tmp_path: Path, major: int, use: str, make: str) -> None:
    installation = _installation(tmp_path, major)
    archive = archive_path(installation, SMALL)
    plain = java_command(installation, SMALL, tmp_path / "c")
    assert not [part for part in plain if part.startswith((f"-XX:{use}=", f"-XX:{make}="))]
    archive.touch()
    assert f"-XX:{use}={archive}" in java_command(installation, SMALL, tmp_path / "c")
    assert f"-XX:{make}=/new" in java_command(installation, SMALL, tmp_path / "c", record=Path("/new"))
    assert plain[-3:] == [f"{tmp_path}/kafka.jar:{tmp_path}/scala.jar", "kafka.Kafka", str(tmp_path / "c")]


def test_another_java_profile_or_jar_asks_for_another_archive(tmp_path: Path) -> None:
    installation = _installation(tmp_path, 17)
    known = {archive_path(installation, SMALL), archive_path(installation, THROUGHPUT)}
    known.add(archive_path(KafkaInstallation(installation.java, installation.class_path[:1], tmp_path), SMALL))
    (tmp_path / "java").write_text("updated")
    known.add(archive_path(installation, SMALL))
    assert len(known) == 4


def test_the_cache_is_where_xdg_says_and_relative_paths_do_not_count() -> None:
    home = Path("/home/she")
    assert KafkaRuntime.from_environment({"XDG_CACHE_HOME": "/c"}, home).cache == Path("/c/careline/kafka")
    for environ in ({}, {"XDG_CACHE_HOME": ""}, {"XDG_CACHE_HOME": "relative"}):
        assert KafkaRuntime.from_environment(environ, home).cache == home / ".cache/careline/kafka"
