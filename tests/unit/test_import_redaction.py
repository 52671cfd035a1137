"""What an import takes out: by its options, by the connectors file, and with the same result as for live events."""

from dataclasses import replace
from pathlib import Path

import pytest
import typer

from schemas.interaction import Interaction
from streams.cli.import_redaction import redaction_for
from streams.connectors.redaction import NOTHING_REDACTED, Redaction, redacted
from streams.settings import Settings
from tests.senders.sender import NOW

KEY = "a key of twenty-four bytes"


@pytest.fixture(autouse=True)
def key(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("REDACTION_KEY", KEY)


@pytest.mark.parametrize(
    ("redact", "expected"),
    [
        (None, NOTHING_REDACTED),
        ("none", NOTHING_REDACTED),
        ("text", Redaction("drop")),
        ("text, addresses", Redaction("drop", "hash", KEY.encode())),
        ("addresses", Redaction("keep", "hash", KEY.encode())),
    ],
)
def test_options_say_what_is_redacted(redact: str | None, expected: Redaction) -> None:
    named = "REDACTION_KEY" if redact and "addresses" in redact else None

    assert redaction_for(redact, named, Settings()) == expected


def test_without_options_the_connectors_file_says_it_and_its_secrets_are_not_needed(tmp_path: Path) -> None:
    file = tmp_path / "connectors.yaml"
    file.write_text("redact: {text: drop, addresses: hash, key: REDACTION_KEY}\nconnectors: {webhook: {secrets: [NO]}}")
    settings = replace(Settings(), connectors_file=file)

    assert redaction_for(None, None, settings) == Redaction("drop", "hash", KEY.encode())
    assert redaction_for("none", None, settings) == NOTHING_REDACTED
    file.write_text("redact: {text: perhaps}")
    with pytest.raises(typer.Exit):
        redaction_for(None, None, settings)


@pytest.mark.parametrize(
    ("redact", "variable", "mistake"),
    [
        ("texts", None, "--redact: error: 'texts' is not known"),
        ("text,none", None, "is not known"),
        ("addresses", None, "--redact-key"),
        ("addresses", "UNSET", "needs a key of at least 16 bytes"),
        (None, "REDACTION_KEY", "hashes nothing"),
    ],
)
def test_a_mistake_ends_the_program(
    redact: str | None, variable: str | None, mistake: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(typer.Exit):
        redaction_for(redact, variable, Settings())
    assert mistake in capsys.readouterr().err


def test_history_is_redacted_like_a_live_event_and_kept_under_the_same_conversation() -> None:
    redaction = Redaction("drop", "hash", KEY.encode())
    event = Interaction(id="1", source="s", conversation_id="mail:joe@acme.example", occurred_at=NOW, text="Hello")

    ((conversation, events),) = redacted([(event.conversation_id, [event])], redaction)
    assert events == [redaction.event(event)]
    assert conversation == events[0].conversation_id
    assert "joe" not in conversation
