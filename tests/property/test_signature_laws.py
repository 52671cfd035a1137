"""Signatures: what was signed is accepted, and any bit that is changed afterwards is refused."""

import base64
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from streams.connectors.connector_contract import Headers, WebhookRequest
from streams.connectors.helpdesks.zendesk_channel import SIGNATURE
from streams.connectors.hmac_signatures import HmacVerifier
from streams.connectors.shared_secrets import SharedSecret
from streams.connectors.signatures import StandardWebhooks

NOW = datetime(2026, 3, 2, 9, 30, tzinfo=UTC)
KEYS = st.binary(min_size=24, max_size=64)
BODIES = st.binary(max_size=200)
IDS = st.text(st.characters(min_codepoint=33, max_codepoint=126), min_size=1, max_size=40)


def secret_of(key: bytes) -> str:
    return "whsec_" + base64.b64encode(key).decode()


def signed(key: bytes, message_id: str, body: bytes, at: datetime = NOW) -> dict[str, str]:
    seconds = str(int(at.timestamp()))
    signature = StandardWebhooks.with_secrets([secret_of(key)]).sign(message_id, seconds, body)
    return {"webhook-id": message_id, "webhook-timestamp": seconds, "webhook-signature": signature}


def request_of(headers: dict[str, str], body: bytes) -> WebhookRequest:
    return WebhookRequest("POST", Headers(headers.items()), body, NOW)


def verdict(key: bytes, headers: dict[str, str], body: bytes) -> str | None:
    return StandardWebhooks.with_secrets([secret_of(key)]).verify(request_of(headers, body)).refusal


@given(KEYS, IDS, BODIES, st.integers(-300, 300))
def test_what_was_signed_in_time_is_accepted(key: bytes, message_id: str, body: bytes, seconds: int) -> None:
    assert verdict(key, signed(key, message_id, body, NOW + timedelta(seconds=seconds)), body) is None


@given(KEYS, IDS, st.binary(min_size=1, max_size=200), st.data())
def test_any_flipped_bit_of_the_body_is_refused(key: bytes, message_id: str, body: bytes, data: st.DataObject) -> None:
    bit = data.draw(st.integers(0, 8 * len(body) - 1))
    changed = bytearray(body)
    changed[bit // 8] ^= 1 << bit % 8
    assert verdict(key, signed(key, message_id, body), bytes(changed)) == "bad_signature"


@given(KEYS, IDS, BODIES, st.sampled_from(StandardWebhooks.HEADERS), st.data())
def test_any_flipped_bit_of_a_header_is_refused(
    key: bytes, message_id: str, body: bytes, name: str, data: st.DataObject
) -> None:
    headers = signed(key, message_id, body)
    place = data.draw(st.integers(0, len(headers[name]) - 1))
    bit = data.draw(st.integers(0, 6))
    flipped = chr(ord(headers[name][place]) ^ (1 << bit))
    headers[name] = headers[name][:place] + flipped + headers[name][place + 1 :]
    assert verdict(key, headers, body) is not None


@given(KEYS, KEYS, IDS, BODIES)
def test_another_secret_makes_another_signature(key: bytes, other: bytes, message_id: str, body: bytes) -> None:
    # HMAC pads a short key with zero bytes, so such keys are one and the same.
    same = key.ljust(64, b"\0") == other.ljust(64, b"\0")
    assert (verdict(other, signed(key, message_id, body), body) is None) == same


@given(KEYS, IDS, BODIES)
def test_the_reference_library_agrees(key: bytes, message_id: str, body: bytes) -> None:
    reference = pytest.importorskip("standardwebhooks")
    text = body.hex()
    at = datetime.now(UTC)
    headers = signed(key, message_id, text.encode(), at)
    reference.Webhook(secret_of(key)).verify(text, headers, json_parse=False)
    theirs = reference.Webhook(secret_of(key)).sign(message_id, at, text)
    assert theirs == headers["webhook-signature"]


@given(KEYS, KEYS, IDS, BODIES)
def test_one_right_signature_among_several_is_enough(key: bytes, other: bytes, message_id: str, body: bytes) -> None:
    headers = signed(key, message_id, body)
    wrong = signed(other + b"x", message_id, body)["webhook-signature"]
    headers["webhook-signature"] = f"v1a,zzz {wrong} {headers['webhook-signature']}"
    assert verdict(key, headers, body) is None


@given(st.text(min_size=1, max_size=40).filter(str.strip), st.binary(min_size=1, max_size=200), st.data())
def test_zendesk_signatures_cover_time_and_body(secret: str, body: bytes, data: st.DataObject) -> None:
    scheme, verifier, stamp = SIGNATURE, HmacVerifier(SIGNATURE, [secret]), "2026-03-02T09:30:00Z"
    timestamp = scheme.timestamp_header or ""
    headers = {scheme.header: scheme.sign(secret.strip(), request_of({}, body), stamp), timestamp: stamp}
    assert verifier.verify(request_of(headers, body)).genuine
    bit = data.draw(st.integers(0, 8 * len(body) - 1))
    changed = bytearray(body)
    changed[bit // 8] ^= 1 << bit % 8
    assert not verifier.verify(request_of(headers, bytes(changed))).genuine
    later = headers | {timestamp: "2026-03-02T09:30:01Z"}
    assert verifier.verify(request_of(later, body)).refusal == "bad_signature"


def test_the_published_vector_of_standard_webhooks() -> None:
    """standard-webhooks/standard-webhooks, the vector that its reference libraries are tested with."""
    scheme = StandardWebhooks.with_secrets(["whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"])
    signature = scheme.sign("msg_p5jXN8AQM9LWM0D4loKWxJek", "1614265330", b'{"test": 2432232314}')
    assert signature == "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="


@pytest.mark.parametrize("secret", ["", "whsec_", "whsec_not base64!", "hallo!"])
def test_a_secret_that_cannot_be_read_is_not_repeated_in_the_message(secret: str) -> None:
    with pytest.raises(ValueError, match="secret 1 is not 'whsec_' followed by base64") as caught:
        StandardWebhooks.with_secrets([secret])
    assert "hallo" not in str(caught.value)
    assert "not base64" not in str(caught.value)


@given(st.text(min_size=1).filter(str.strip), st.text(min_size=1).filter(str.strip))
def test_a_token_is_right_or_wrong(token: str, other: str) -> None:
    tokens = SharedSecret([token])

    def refusal(value: str) -> str | None:
        return tokens.verify(request_of({"Authorization": value}, b"")).refusal

    assert refusal(f"Bearer {token}") is None
    assert (refusal(f"Bearer {other}") is None) == (other.strip() == token.strip())
    assert refusal(f"Basic {token}") == "bad_token"
