"""Signatures of Stripe and Twilio against their own libraries: good, altered, and while a secret is being replaced."""

import hashlib
import json
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import urlencode

import pytest
from hypothesis import given
from hypothesis import strategies as st

from streams.connectors.business.stripe_signature import StripeSignature
from streams.connectors.connector_contract import Headers, WebhookRequest
from streams.connectors.phone.twilio_signature import TwilioSignature

SECRETS = st.text(st.characters(min_codepoint=33, max_codepoint=126), min_size=8, max_size=40)
TEXTS = st.text(st.characters(codec="utf-8"), max_size=30)
FIELDS = st.lists(st.tuples(st.sampled_from(("Body", "From", "MessageSid", "NumMedia", "To")), TEXTS), max_size=8)
ADDRESS = "https://desk.example/in/twilio"


def now() -> datetime:
    """Stripe's library looks at the clock on the wall, so signatures are of the present."""
    return datetime.now(UTC).replace(microsecond=0)


def posted(body: bytes, header: str, signature: str, url: str = ADDRESS) -> WebhookRequest:
    return WebhookRequest("POST", Headers([(header, signature)]), body, now(), url=url)


def flipped(text: str, bit: int) -> str:
    """With one of its bits turned over; the highest of a byte is left alone, so that it stays text."""
    place, bit = divmod(bit % (7 * len(text)), 7)
    return f"{text[:place]}{chr(ord(text[place]) ^ 1 << bit)}{text[place + 1 :]}"


# Stripe


def stripe_body(note: str) -> str:
    return json.dumps({"id": "evt_1", "object": "event", "type": "invoice.paid", "note": note}, ensure_ascii=False)


def stripe_accepts(body: str, header: str, secret: str) -> bool:
    stripe = pytest.importorskip("stripe", reason="needs Stripe's own library: the group `dev`")
    try:
        event = stripe.Webhook.construct_event(body, header, secret)
    except (stripe.SignatureVerificationError, ValueError, IndexError):
        return False
    return bool(event.id == "evt_1")


def we_accept_of_stripe(body: str, header: str, *secrets: str) -> bool:
    return StripeSignature(secrets).verify(posted(body.encode(), StripeSignature.HEADER, header)).genuine


@given(SECRETS, TEXTS, st.integers(-250, 0))
def test_what_stripe_signs_is_genuine_here_and_the_other_way_round(secret: str, note: str, seconds: int) -> None:
    signature = pytest.importorskip("stripe").WebhookSignature
    body, at = stripe_body(note), str(int((now() + timedelta(seconds=seconds)).timestamp()))
    theirs = signature.generate_signature_header(body, secret, timestamp=at)
    assert we_accept_of_stripe(body, theirs, secret)
    ours = StripeSignature([secret]).sign(at, body.encode())
    assert ours == theirs
    assert stripe_accepts(body, ours, secret)


@given(SECRETS, SECRETS, TEXTS, st.integers(min_value=0))
def test_what_stripe_refuses_is_refused_here(secret: str, other: str, note: str, bit: int) -> None:
    body, at = stripe_body(note), str(int(now().timestamp()))
    header = StripeSignature([secret]).sign(at, body.encode())
    altered = body.replace("invoice.paid", "invoice.void")
    assert not stripe_accepts(altered, header, secret)
    assert not we_accept_of_stripe(altered, header, secret)
    assert stripe_accepts(body, header, other) == we_accept_of_stripe(body, header, other) == (secret == other)
    broken = flipped(header, bit)
    assert stripe_accepts(body, broken, secret) or not we_accept_of_stripe(body, broken, secret)
    late = StripeSignature([secret]).sign(str(int(at) - 400), body.encode())
    assert not stripe_accepts(body, late, secret)
    assert not we_accept_of_stripe(body, late, secret)


@given(st.lists(SECRETS, min_size=3, max_size=3, unique=True), TEXTS)
def test_while_a_secret_of_stripe_is_rolled_either_is_enough(secrets: list[str], note: str) -> None:
    old, new, never = secrets
    body, at = stripe_body(note), str(int(now().timestamp()))
    by_old, by_new = (StripeSignature([each]).sign(at, body.encode()) for each in (old, new))
    both = f"{by_old},{by_new.partition(',')[2]}"
    for secret in (old, new):
        assert stripe_accepts(body, both, secret)
        assert we_accept_of_stripe(body, both, secret)
        assert we_accept_of_stripe(body, by_old, secret) == stripe_accepts(body, by_old, secret) == (secret == old)
    assert we_accept_of_stripe(body, by_old, new, old)
    assert not stripe_accepts(body, both, never)
    assert not we_accept_of_stripe(body, both, never)


# Twilio


class Posted:
    """Fields as the frameworks hand them to Twilio's library: a name may occur more than once."""

    def __init__(self, fields: Sequence[tuple[str, str]]) -> None:
        self._fields = fields

    def __iter__(self) -> Iterator[str]:
        return iter([name for name, _ in self._fields])

    def __bool__(self) -> bool:
        return bool(self._fields)

    def getall(self, name: str) -> list[str]:
        return [value for known, value in self._fields if known == name]


def validator(token: str) -> Any:
    module = pytest.importorskip("twilio.request_validator", reason="needs Twilio's own library: the group `dev`")
    return module.RequestValidator(token)


def we_accept_of_twilio(url: str, body: str, signature: str, *tokens: str) -> bool:
    request = posted(body.encode(), TwilioSignature.HEADER, signature, url)
    return TwilioSignature(tokens).verify(request).genuine


@given(SECRETS, FIELDS, st.sampled_from(("", ":443", ":8443")), st.sampled_from(("", "?tenant=a%20b&x=1")))
def test_what_twilio_signs_is_genuine_here_and_the_other_way_round(
    token: str, fields: list[tuple[str, str]], port: str, query: str
) -> None:
    url, body = f"https://desk.example{port}/in/twilio{query}", urlencode(fields)
    theirs = validator(token).compute_signature(url, Posted(fields))
    assert we_accept_of_twilio(url, body, theirs, token)
    assert TwilioSignature([token]).sign(url, body.encode()) == theirs
    for spelt in (f"https://desk.example/in/twilio{query}", f"https://desk.example:443/in/twilio{query}"):
        accepted = validator(token).validate(spelt, Posted(fields), theirs)
        assert we_accept_of_twilio(spelt, body, theirs, token) == accepted == (port != ":8443")


@given(SECRETS, SECRETS, FIELDS, st.integers(min_value=0))
def test_what_twilio_refuses_is_refused_here(token: str, other: str, fields: list[tuple[str, str]], bit: int) -> None:
    body = urlencode(fields)
    signature = TwilioSignature([token]).sign(ADDRESS, body.encode())
    more = [*fields, ("Body", "and something else")]
    assert not validator(token).validate(ADDRESS, Posted(more), signature)
    assert not we_accept_of_twilio(ADDRESS, urlencode(more), signature, token)
    elsewhere = ADDRESS.replace("desk", "task")
    assert not validator(token).validate(elsewhere, Posted(fields), signature)
    assert not we_accept_of_twilio(elsewhere, body, signature, token)
    by_other = validator(other).validate(ADDRESS, Posted(fields), signature)
    assert we_accept_of_twilio(ADDRESS, body, signature, other) == by_other == (token == other)
    broken = flipped(signature, bit)
    assert not validator(token).validate(ADDRESS, Posted(fields), broken)
    assert not we_accept_of_twilio(ADDRESS, body, broken, token)


@given(SECRETS, TEXTS)
def test_a_json_body_is_bound_by_its_digest_as_twilio_does_it(token: str, note: str) -> None:
    body = json.dumps({"note": note}, ensure_ascii=False)
    url = f"{ADDRESS}?bodySHA256={hashlib.sha256(body.encode()).hexdigest()}"
    theirs = validator(token).compute_signature(url, {})
    assert we_accept_of_twilio(url, body, theirs, token)
    ours = TwilioSignature([token]).sign(url, body.encode())
    assert validator(token).validate(url, body, ours)
    assert not validator(token).validate(url, f"{body} ", ours)
    assert not we_accept_of_twilio(url, f"{body} ", ours, token)


@given(st.lists(SECRETS, min_size=3, max_size=3, unique=True), FIELDS)
def test_while_a_token_of_twilio_is_replaced_either_is_enough(tokens: list[str], fields: list[tuple[str, str]]) -> None:
    primary, secondary, never = tokens
    body = urlencode(fields)
    for token in (primary, secondary):
        signature = validator(token).compute_signature(ADDRESS, Posted(fields))
        assert we_accept_of_twilio(ADDRESS, body, signature, primary, secondary)
        assert not we_accept_of_twilio(ADDRESS, body, signature, never)


@given(SECRETS, SECRETS, FIELDS, st.sampled_from(("HMAC_SHA256", "hmac_sha1", "HMAC_SHA512")), st.booleans())
def test_a_shared_key_of_twilio_says_its_algorithm(
    key: str, other: str, fields: list[tuple[str, str]], algorithm: str, spaced: bool
) -> None:
    comma = " , " if spaced else ","
    settings = f"key=webhooks_sharedkey_1{comma}algorithm={algorithm}"
    named = pytest.importorskip("twilio.request_validator").get_signature_algorithm(settings)
    signed_by = "HMAC_SHA256" if algorithm == "HMAC_SHA512" else algorithm
    signature = validator(key).compute_signature(ADDRESS, Posted(fields), signed_by)
    headers = Headers([(TwilioSignature.HEADER, signature), (TwilioSignature.SETTINGS_HEADER, settings)])
    request = WebhookRequest("POST", headers, urlencode(fields).encode(), now(), url=ADDRESS)
    for token in (key, other):
        theirs = validator(token).validate(ADDRESS, Posted(fields), signature, named)
        assert TwilioSignature([token]).verify(request).genuine == theirs == (token == key and signed_by == algorithm)
