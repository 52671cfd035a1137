"""Redaction: nothing of an address or a text is left anywhere in what is published, and threads stay together."""

import json
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from schemas.codec import encode
from schemas.interaction import Attachment, Author, Interaction
from schemas.rejection import Origin, Rejection
from schemas.signal import Signal
from streams.connectors.redaction import Redaction
from tests.senders.sender import NOW

KEY = b"a key of twenty-four bytes"
ADDRESSES = st.emails() | st.from_regex(re.compile(r"\+[1-9][0-9]{9,13}", re.ASCII), fullmatch=True)


def interaction_about(address: str, text: str = "") -> Interaction:
    return Interaction(
        id=f"<1.{address}>",
        source="mail",
        conversation_id=f"mail:{address}",
        occurred_at=NOW,
        author=Author("customer", address),
        account_id="domain:acme.example",
        account_hint=f"email:{address}",
        raw_reference=f"mail:{address}",
        text=text or f"Call {address}",
        attachments=(Attachment(name=f"{address}.pdf"),),
    )


def signal_about(address: str) -> Signal:
    return Signal(
        id=f"s-{address}", source="s", account_id=f"contact:{address}", occurred_at=NOW, kind="survey", name="csat",
        text=f"I am {address}", account_hint=f"email:{address}",
    )  # fmt: skip


@given(ADDRESSES, st.sampled_from(["hash", "drop"]))
def test_no_address_is_left(address: str, mode: str) -> None:
    redaction = Redaction("keep", mode, KEY)  # type: ignore[arg-type]

    for event in (interaction_about(address), signal_about(address)):
        left = json.dumps(json.loads(encode(redaction.event(event))), ensure_ascii=False)
        assert address not in left
        assert address.lower() not in left


@given(ADDRESSES)
def test_the_same_address_is_the_same_word_and_another_key_gives_another(address: str) -> None:
    first, second = Redaction("keep", "hash", KEY), Redaction("keep", "hash", KEY[::-1])

    once, again = first.event(interaction_about(address, "Hi")), first.event(interaction_about(address, "Hello"))
    assert isinstance(once, Interaction)
    assert isinstance(again, Interaction)
    assert (once.conversation_id, once.author) == (again.conversation_id, again.author)
    assert second.event(interaction_about(address)).id != once.id


def test_a_number_is_the_same_however_it_is_written() -> None:
    redaction = Redaction("keep", "hash", KEY)
    written = [redaction.event(interaction_about(number)).account_hint for number in ("+49 30 1234567", "+49301234567")]

    assert written[0] == written[1]


def test_text_is_dropped_alone() -> None:
    event = interaction_about("joe@acme.example", "My card is 4111")
    left = Redaction("drop").event(event)

    assert (left.text, left.id) == (None, event.id)


def test_a_company_is_no_person() -> None:
    left = Redaction("drop", "drop", KEY).event(interaction_about("joe@acme.example"))

    assert (left.account_id, left.account_hint) == ("domain:acme.example", None)


def test_a_dead_letter_keeps_its_reason_and_not_its_bytes() -> None:
    letter = Rejection(
        id="1", reason="not_json", detail="at joe@acme.example", origin=Origin(), rejected_at=NOW, value=b"joe"
    )

    left = Redaction("drop", "hash", KEY).letter(letter)
    assert left.value is None
    assert "joe" not in left.detail
    assert Redaction().letter(letter) is letter


def test_addresses_need_a_key() -> None:
    with pytest.raises(ValueError, match="a key of at least 16 bytes"):
        Redaction("keep", "hash", b"short")


@pytest.mark.parametrize("redaction", [Redaction("drop"), Redaction("keep", "hash", KEY)])
def test_a_dead_letter_keeps_neither_what_a_mistake_quotes_nor_headers_that_name_somebody(redaction: Redaction) -> None:
    headers = (("content-type", b"text/plain"), ("ce-subject", b"joe@acme.example"))
    letter = Rejection(
        id="1", reason="contract_violation", detail="Invalid enum value 'I am Joe' - at `$.type`", origin=Origin(),
        rejected_at=NOW, value=b"joe", headers=headers,
    )  # fmt: skip

    left = redaction.letter(letter)
    assert left.headers == (("content-type", b"text/plain"),)
    assert left.detail.startswith("Invalid enum value '…' - at `$.type`")


@given(ADDRESSES)
def test_no_label_holds_an_address(address: str) -> None:
    labels = dict.fromkeys(("inbox", "team", "agent", "tier", "segment", "contract", "source_status"), address)
    event = replace(interaction_about(address), tags=(address,), **labels)

    assert address not in encode(Redaction("drop", "hash", KEY).event(event)).decode()


def test_the_key_is_in_no_words_about_it() -> None:
    redaction = Redaction("drop", "hash", KEY)

    assert KEY.decode() not in repr(redaction) + redaction.in_words()
    assert "thank-yous" in redaction.in_words()
    assert Redaction().in_words() == "nothing"
