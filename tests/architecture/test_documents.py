"""What the documents promise is there: links lead somewhere, and every command they name exists."""

import re
from pathlib import Path

import pytest

from tests.architecture.repository_files import ROOT, project_files

DOCUMENTS = [path for path in project_files() if path.suffix == ".md"]
LINK = re.compile(r"\]\(([^)#\s]+)(?:#[^)]*)?\)")
MAKE_COMMAND = re.compile(r"`make ([a-z-]+)|^make ([a-z-]+)", re.MULTILINE)
CARELINE_COMMAND = re.compile(r"(?:`|^|bin/)careline ((?:[a-z]+ ?)+)", re.MULTILINE)


def text_of(path: Path) -> str:
    return (ROOT / path).read_text(encoding="utf-8")


@pytest.mark.parametrize("path", DOCUMENTS, ids=str)
def test_a_link_inside_the_repository_leads_somewhere(path: Path) -> None:
    targets = [target for target in LINK.findall(text_of(path)) if "://" not in target]

    assert [target for target in targets if not (ROOT / path.parent / target).exists()] == []


@pytest.mark.parametrize("path", DOCUMENTS, ids=str)
def test_a_make_command_that_is_named_exists(path: Path) -> None:
    targets = set(re.findall(r"^([a-z-]+):.*## ", text_of(Path("Makefile")), re.MULTILINE))

    assert {one or other for one, other in MAKE_COMMAND.findall(text_of(path))} <= targets


@pytest.mark.parametrize("path", DOCUMENTS, ids=str)
def test_a_careline_command_that_is_named_exists(path: Path) -> None:
    from typer.main import get_command  # the command line is loaded only where a document names it

    from streams.cli.main import app

    commands = getattr(get_command(app), "commands", {})
    for words in CARELINE_COMMAND.findall(text_of(path)):
        group, *rest = words.split()
        assert group in commands, words
        known = getattr(commands[group], "commands", None)
        assert known is None or not rest or rest[0] in known, words
