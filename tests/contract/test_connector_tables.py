"""The tables of `docs/connectors.md` are those of the code: connectors, words, reasons, identities, channels."""

import re
from pathlib import Path
from typing import get_args

import pytest

from streams.connectors.automated_words import AUTOMATED, MEANINGS, Automated
from streams.connectors.connector_registry import BUILT_IN
from streams.connectors.ignored_reasons import IGNORED
from streams.sinks.metric_names import CHANNELS

ROOT = Path(__file__).parents[2]
DOCUMENT = (ROOT / "docs/connectors.md").read_text()
SOURCES = {path: path.read_text() for path in (ROOT / "streams/connectors").rglob("*.py")}
OF_NO_CONNECTOR = frozenset({"web"})
"""Channels that only histories and senders of canonical events name."""


def section(heading: str) -> str:
    found = re.search(rf"^#+ {heading}\n(.*?)(?=^#|\Z)", DOCUMENT, re.DOTALL | re.MULTILINE)
    assert found is not None, heading
    return found[1]


def first_cells(table: str) -> set[str]:
    rows = re.findall(r"^\| (`.*?) \|", table, re.MULTILINE)
    return {name for row in rows for name in re.findall(r"`([^`]+)`", row)}


def test_every_connector_stands_in_the_table_once() -> None:
    table = DOCUMENT.partition("## What a sender hears")[0]
    assert first_cells(table) == {kind.id for kind in BUILT_IN}


def test_every_word_for_machines_is_explained() -> None:
    assert first_cells(section("Machines")) - {"automated"} == AUTOMATED == set(MEANINGS) == set(get_args(Automated))


def test_every_reason_is_explained_and_used() -> None:
    assert first_cells(section("Why something is ignored")) == set(IGNORED)
    said = {word for text in SOURCES.values() for word in re.findall(r'Ignored\(\s*"([a-z_]+)"', text)}
    assert said <= set(IGNORED)
    others = [text for path, text in SOURCES.items() if path.name != "ignored_reasons.py"]
    assert [reason for reason in IGNORED if not any(f'"{reason}"' in text for text in others)] == []


def test_every_kind_of_identity_is_explained() -> None:
    made = {kind for text in SOURCES.values() for kind in re.findall(r'f"([a-z]+_[a-z]+|user|account):\{', text)}
    made |= {kind for text in SOURCES.values() for kind in re.findall(r'\("(salesforce_[a-z]+)", ', text)}
    assert made - {"unverified_visitor"} <= {kind.rstrip(":") for kind in first_cells(section("Identities"))}


@pytest.mark.parametrize("channel", sorted(set(CHANNELS) - OF_NO_CONNECTOR))
def test_every_channel_is_explained(channel: str) -> None:
    assert f"`{channel}`" in section("Channels")
