"""WhatsApp (id `whatsapp`): messages, echoes and calls of the Cloud API.

`meta_webhooks` proves the sender; `whatsapp_messages` and `whatsapp_calls` say what is meant. The conversation is our
number's id and the customer: WhatsApp has one thread for the two, for ever.
"""

from collections.abc import Iterator

from streams.connectors.connector_contract import (
    ConnectorKind,
    Ignored,
    Instance,
    Reading,
    Refused,
    WebhookRequest,
)
from streams.connectors.drafting import Drafter
from streams.connectors.payload_reading import Json, at, id_text, items, read_each, read_json, tables, text, word
from streams.connectors.social.meta_webhooks import meta_verifier, verify_token
from streams.connectors.social.whatsapp_calls import call_status, call_step
from streams.connectors.social.whatsapp_messages import Thread, message

ECHOES = frozenset({"smb_message_echoes", "message_echoes"})
OTHER_SUBJECTS = (
    "account_",
    "automatic_events",
    "business_",
    "campaign_",
    "flows",
    "group_",
    "history",
    "message_template_",
    "messaging_handovers",
    "partner_",
    "payment_",
    "phone_number_",
    "security",
    "smb_app_state_sync",
    "standby",
    "template_",
    "tracking_events",
    "user_",
)
"""Beginnings of fields that are about the account, templates and so on; `history` is what was said before."""


class WhatsAppWebhooks:
    """Reads webhooks of the Cloud API, also a change, its value or a message alone."""

    def __init__(self, instance: Instance) -> None:
        self._instance = instance

    def normalise(self, request: WebhookRequest) -> Reading:
        """What one request tells."""
        payload = read_json(request.body)
        if isinstance(payload, Refused):
            return [payload]
        drafter = Drafter(self._instance, request, "whatsapp")
        about = word(payload, "object")
        if about is not None and about != "whatsapp_business_account":
            return [Refused("not_understood", f"the object {about[:80]!r} is not known")]
        changes = list(_changes(payload))
        if not changes:
            return [Refused("malformed_payload", "Object contains no entry with changes - at `$.entry`")]
        return read_each(changes, lambda change: _change(drafter, change))


def _changes(payload: Json) -> Iterator[Json]:
    for entry in tables(payload, "entry"):
        yield from items(entry, "changes")
    if isinstance(at(payload, "value"), dict) and text(payload, "field"):
        yield payload
    if any(isinstance(at(payload, name), list) for name in ("messages", "statuses", "calls", "message_echoes")):
        yield {"value": payload}
    elif id_text(payload, "id") and text(payload, "type") and (text(payload, "from") or text(payload, "from_user_id")):
        yield {"value": {"messages": [payload]}}


def _change(drafter: Drafter, change: Json) -> Reading:
    field, value = word(change, "field") or "messages", at(change, "value")
    if field.startswith(OTHER_SUBJECTS):
        return [Ignored("other_subject")]
    if field not in ECHOES | {"messages", "calls"}:
        return [Refused("not_understood", f"the field {field[:80]!r} is not known")]
    thread = Thread(drafter, value)
    calls = read_each(tables(value, "calls"), lambda said: call_step(thread, said))
    echoes = read_each(tables(value, "message_echoes"), lambda said: message(thread, said, echo=True))
    messages = read_each(tables(value, "messages"), lambda said: message(thread, said, echo=field in ECHOES))
    statuses = read_each(tables(value, "statuses"), lambda said: _status(thread, said))
    if items(value, "errors") and not (calls or echoes or messages or statuses):
        return [Ignored("provider_error")]
    read = [*calls, *messages, *echoes, *statuses]
    return read or [Refused("malformed_payload", "Object contains no messages, statuses or calls - at `$.value`")]


def _status(thread: Thread, said: Json) -> Reading:
    return call_status(thread, said) if word(said, "type") == "call" else [Ignored("receipt")]


WHATSAPP = ConnectorKind(
    id="whatsapp",
    title="WhatsApp Cloud API",
    normaliser=WhatsAppWebhooks,
    verifier=meta_verifier,
    handshake=verify_token,
    setup=(
        "developers.facebook.com > your app > WhatsApp > Configuration: callback URL https://<your host>/in/whatsapp,\n"
        "verify token: one of tokens; subscribe to messages, smb_message_echoes (answers from the phone) and calls.\n"
        "The secret is the app's secret (App settings > Basic)."
    ),
)
