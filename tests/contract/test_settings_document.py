"""docs/settings.md is that of today's settings."""

from dataclasses import fields
from pathlib import Path

from streams.settings import Settings
from streams.settings_document import DOCUMENT, settings_document, write

ROOT = Path(__file__).resolve().parents[2]


def test_the_document_is_current() -> None:
    assert (ROOT / DOCUMENT).read_text(encoding="utf-8") == settings_document(), "stale: run `make contracts`"


def test_every_variable_has_its_row_and_no_secret_a_default() -> None:
    rows = [line for line in settings_document().splitlines() if line.startswith("| `")]

    assert [row.split("`")[1] for row in rows] == [setting.metadata["variable"] for setting in fields(Settings)]
    assert all(row.endswith("| none |") or "chdb://" in row for row in rows if "*(secret)*" in row)


def test_writing_again_changes_nothing(tmp_path: Path) -> None:
    (tmp_path / "docs").mkdir()

    assert write(tmp_path)
    assert not write(tmp_path)
