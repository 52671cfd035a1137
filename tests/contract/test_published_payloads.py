"""Every published payload through its connector, with a reviewed result; and through every other one, without harm."""

from datetime import datetime, timedelta
from pathlib import Path

import pytest

from schemas.codec import encode
from schemas.interaction import Interaction
from streams.connectors.accounts_directory import AccountsDirectory, stamp
from streams.connectors.automated_words import AUTOMATED
from streams.connectors.connector_contract import ConnectorKind, Draft, Headers, Ignored, Instance, WebhookRequest
from streams.connectors.connector_registry import BUILT_IN
from streams.connectors.event_check import flaw_in
from streams.connectors.ignored_reasons import IGNORED
from streams.sinks.metric_names import CHANNELS
from tests.published_payloads import GOLDEN, explained, golden_text, payload_files
from tests.senders.sender import NOW

LATER = NOW + timedelta(hours=5, microseconds=7)

OWN_WORDS = frozenset({"webhook", "cloudevents"})
"""Connectors whose senders choose their words themselves."""


def test_every_published_payload_becomes_what_was_reviewed(shared: Path) -> None:
    # On a difference: look at it, then write the text anew (tests/published_payloads.py).
    assert golden_text(shared).splitlines() == GOLDEN.read_text().splitlines()


@pytest.mark.parametrize("connector", [kind.id for kind in BUILT_IN])
def test_no_payload_of_any_provider_harms_any_connector(connector: str, shared: Path) -> None:
    for name, path in payload_files(shared).items():
        told = explained(connector, path.read_bytes())
        assert told.events or told.ignored or told.rejected, name
        for event in told.events:
            assert event.get("account_hint") or event.get("conversation_id"), name
            if "author" in event:
                assert event["author"]["kind"] in {"customer", "agent", "bot", "system"}, name
                assert event["conversation_id"].partition(":")[2] or connector in OWN_WORDS, name


@pytest.mark.parametrize("kind", BUILT_IN, ids=lambda kind: kind.id)
def test_no_id_follows_from_the_delivery(kind: ConnectorKind, shared: Path) -> None:
    normaliser = kind.normaliser(Instance(kind.id, kind.id))

    def ids(body: bytes, received_at: datetime, attempt: str) -> list[str]:
        headers = Headers([("x-request-id", attempt), ("date", attempt), ("x-slack-retry-num", attempt)])
        reading = normaliser.normalise(WebhookRequest("POST", headers, body, received_at))
        return [item.event.id for item in reading if isinstance(item, Draft)]

    for name, path in payload_files(shared).items():
        body = path.read_bytes()
        assert ids(body, NOW, "1") == ids(body, LATER, "2"), name


@pytest.mark.parametrize("kind", BUILT_IN, ids=lambda kind: kind.id)
def test_words_are_those_of_the_documented_tables(kind: ConnectorKind, shared: Path) -> None:
    normaliser = kind.normaliser(Instance(kind.id, kind.id))
    for name, path in payload_files(shared).items():
        for item in normaliser.normalise(WebhookRequest("POST", Headers([]), path.read_bytes(), NOW)):
            if isinstance(item, Ignored):
                assert item.reason in IGNORED, name
            if not isinstance(item, Draft) or kind.id in OWN_WORDS:
                continue
            event = stamp(item, AccountsDirectory())
            assert encode(event)
            assert (event.raw_reference or "").count(":") >= 2, (name, event)
            if isinstance(event, Interaction):
                assert event.channel in CHANNELS, name
                assert event.automated is None or event.automated in AUTOMATED, name
                assert event.type != "deleted" or event.version >= 1, name
                assert flaw_in(event) is None or flaw_in(event)[0] in {"impossible_time", "contract_violation"}, name  # type: ignore[index]
