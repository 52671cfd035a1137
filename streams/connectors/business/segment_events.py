"""Segment and what speaks like it (id `segment`): product usage, one message or a batch.

RudderStack and Jitsu send the same bodies, PostHog its own, which are read as well (`segment_message`). A `track` is a
usage signal with the event's name; `identify` and `group` count where they say something of the subscription; live
chats (`segment_chat`) are conversations. The group is the account.

Source: Segment documentation, "Spec", "B2B SaaS spec" and "Webhooks destination" (HMAC-SHA1 of the body in hex).
"""

from collections.abc import Iterator
from functools import partial

from schemas.signal import SignalKind
from streams.connectors.business.segment_chat import chat_interaction, is_chat
from streams.connectors.business.segment_message import SegmentMessage
from streams.connectors.business.subscription_words import subscription_traits
from streams.connectors.connector_contract import (
    ConnectorKind,
    Draft,
    Ignored,
    Instance,
    Reading,
    Refused,
    WebhookRequest,
)
from streams.connectors.drafting import Drafter
from streams.connectors.hmac_signatures import HmacScheme, HmacVerifier
from streams.connectors.payload_reading import at, number, read_each, read_json, read_one, text
from streams.connectors.shared_secrets import signed_or_shown

SIGNATURE = HmacScheme(header="x-signature", digest="sha1")

MEASURES = ("revenue", "quantity", "count")
"""Properties that are what an event measures, by Segment's spec; any other number is about something else."""

KINDS: dict[str, SignalKind] = {
    "signed_up": "onboarding",
    "account_created": "onboarding",
    "account_added_user": "onboarding",
    "invite_sent": "onboarding",
    "onboarding_started": "onboarding",
    "onboarding_completed": "onboarding",
    "trial_started": "subscription",
    "trial_ended": "subscription",
    "account_deleted": "subscription",
}
"""Events of the B2B SaaS spec and their like that are more than usage."""

VIEWS = {"page": "page_viewed", "screen": "screen_viewed"}


class SegmentEvents:
    """Reads messages."""

    def __init__(self, instance: Instance) -> None:
        self._instance = instance

    def normalise(self, request: WebhookRequest) -> Reading:
        """What one message, a batch or a list of messages means."""
        payload = read_json(request.body)
        if isinstance(payload, Refused):
            return [payload]
        drafter = Drafter(self._instance, request, "chat")
        batch = payload if isinstance(payload, list) else at(payload, "batch")
        if not isinstance(batch, list):
            return read_one(payload, lambda message: _read(SegmentMessage(message), drafter))
        found = read_each(batch, lambda message: _read(SegmentMessage(message, payload), drafter))
        return found or [Refused("malformed_payload", "a batch without messages - at `$.batch`")]


def _read(message: SegmentMessage, drafter: Drafter) -> Iterator[Draft | Ignored | Refused]:
    call = message.call
    if call == "track":
        yield _tracked(message, drafter)
    elif call in VIEWS:
        yield _viewed(message, VIEWS[call], drafter)
    elif call in {"identify", "group"}:
        yield from _described(message, drafter)
    elif call in {"alias", "delete"}:
        yield Ignored("other_subject")
    elif call is None:
        yield Refused("malformed_payload", "Object contains no type and no event - at `$.type`")
    else:
        yield Refused("not_understood", f"the type {call[:80]!r} is not known")


def _tracked(message: SegmentMessage, drafter: Drafter) -> Draft | Ignored | Refused:
    name = message.word
    if not name:
        return Refused("malformed_payload", "Object contains no event - at `$.event`")
    if (message.name or "").startswith("$"):
        return Ignored("other_subject")
    if is_chat(message):
        return chat_interaction(message, drafter)
    if not message.identities:
        return Ignored("nobody_named")
    measured = (value for key in MEASURES if (value := number(message.properties, key)) is not None)
    return drafter.signal(
        message.id,
        KINDS.get(name, "usage"),
        name,
        next(measured, 1.0),
        message.at,
        identities=message.identities,
    )


def _viewed(message: SegmentMessage, name: str, drafter: Drafter) -> Draft | Ignored:
    """A page or screen counts as usage once it is known who looked at it: other visitors are the website's matter."""
    if not message.identities:
        return Ignored("nobody_named")
    page = message.name if not (message.name or "").startswith("$") else None
    seen = page or text(message.properties, "path") or text(message.properties, "$pathname")
    return drafter.signal(message.id, "usage", name, 1.0, message.at, identities=message.identities, text=seen)


def _described(message: SegmentMessage, drafter: Drafter) -> Iterator[Draft | Ignored]:
    told = list(subscription_traits(message.traits)) if message.identities else []
    for one in told:
        event_id = f"{message.id}:{one.name}"
        yield drafter.signal(
            event_id, "subscription", one.name, one.value, message.at, identities=message.identities, text=one.text
        )
    if not told:
        yield Ignored("without_effect")


SEGMENT = ConnectorKind(
    id="segment",
    title="Segment, RudderStack, PostHog: product usage",
    normaliser=SegmentEvents,
    verifier=lambda instance: signed_or_shown(instance, partial(HmacVerifier, SIGNATURE), SIGNATURE.header),
    setup=(
        "Segment: Destinations > Webhooks, URL https://<your host>/in/segment, and a shared secret.\n"
        "RudderStack, PostHog and others that do not sign: send the header Authorization: Bearer <token> and list the\n"
        "token under tokens. Call group() for every user, so that usage belongs to an account."
    ),
)
