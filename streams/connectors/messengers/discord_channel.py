"""Discord (id `discord`): what its gateway dispatches, its webhook events, its interactions, and bare messages.

`discord_event` says what one of them means, `discord_signature` how HTTP requests are proven. Ordinary messages of a
server come by the gateway alone: `discord_gateway` hands its dispatches to this normaliser. By HTTP come commands and
forms (the Interactions Endpoint URL) and webhook events; each wants to hear its own kind of answer.
"""

import json
from collections.abc import Mapping
from typing import Any

from streams.connectors.connector_contract import (
    ConnectorKind,
    Ignored,
    Instance,
    ProviderAnswer,
    Reading,
    Refused,
    Verdict,
    WebhookRequest,
)
from streams.connectors.drafting import Drafter
from streams.connectors.messengers.discord_event import DiscordEvent
from streams.connectors.messengers.discord_gateway import gateway_of
from streams.connectors.messengers.discord_payload import (
    AUTOCOMPLETE,
    COMMAND,
    COMPONENT,
    MODAL,
    PING,
    Told,
    is_interaction,
    is_ping_of_webhooks,
    type_of,
)
from streams.connectors.messengers.discord_signature import DiscordSignature
from streams.connectors.payload_reading import (
    Json,
    Malformed,
    id_text,
    instant,
    read_json,
    read_one,
    required,
    table,
    text,
)

DISPATCH = 0
"""The gateway's operation that carries an event; the others keep the connection."""

_FOR_THEM_ALONE = 64
"""Flag of a message that only the person sees who caused it."""
_RECEIVED = {"type": 4, "data": {"content": "Thank you, we have received it.", "flags": _FOR_THEM_ALONE}}
"""Commands and forms must be answered within three seconds, or the person is shown an error."""

ANSWERS: Mapping[int, Mapping[str, Any]] = {
    PING: {"type": 1},
    COMMAND: _RECEIVED,
    COMPONENT: {"type": 6},
    AUTOCOMPLETE: {"type": 8, "data": {"choices": []}},
    MODAL: _RECEIVED,
}
"""What each type of interaction wants to hear."""


class DiscordEvents:
    """Reads one payload."""

    def __init__(self, instance: Instance) -> None:
        self._instance = instance

    def normalise(self, request: WebhookRequest) -> Reading:
        """What a payload means."""
        payload = read_json(request.body)
        if isinstance(payload, Refused):
            return [payload]
        return read_one(payload, lambda event: self._meanings(event, Drafter(self._instance, request, "discord")))

    def _meanings(self, payload: Json, drafter: Drafter) -> Reading:
        told = _told(payload)
        return [told] if isinstance(told, Ignored) else DiscordEvent(self._instance, drafter, told).meanings()


def _told(payload: Json) -> Told | Ignored:
    """The event in a payload, out of whatever it is wrapped in."""
    if not isinstance(payload, dict):
        raise Malformed("Expected an object - at `$`")
    if "op" in payload or ("t" in payload and "d" in payload):
        if payload.get("op", DISPATCH) != DISPATCH:
            return Ignored("connection")
        name, data = required(text(payload, "t"), "$.t"), payload.get("d")
        return Told(name, data if isinstance(data, dict) else {}, "$.d")
    event = payload.get("event")
    if isinstance(event, dict):
        name = required(text(event, "type"), "$.event.type")
        return Told(name, table(event, "data"), "$.event.data", instant(event, "timestamp"))
    if is_interaction(payload):
        return Told("INTERACTION_CREATE", payload, "$")
    return _bare(payload)


def _bare(payload: Json) -> Told | Ignored:
    """An object of Discord's API by itself."""
    if id_text(payload, "message_id") and "emoji" in payload:
        return Told("MESSAGE_REACTION_ADD", payload, "$")
    if table(payload, "thread_metadata"):
        return Told("THREAD_CREATE", payload, "$")
    if is_ping_of_webhooks(payload):
        return Ignored("connection")
    if not id_text(payload, "channel_id") and not id_text(payload, "lobby_id"):
        raise Malformed("Object contains no channel_id - at `$.channel_id`")
    return Told("MESSAGE_CREATE", payload, "$")


def greet(_: Instance, request: WebhookRequest, verdict: Verdict) -> ProviderAnswer | None:
    """The answer to a ping: 204 for webhook events, a pong for interactions. One that is not signed hears 401."""
    payload = read_json(request.body)
    if not verdict.genuine or not isinstance(payload, dict):
        return None
    if is_interaction(payload) and type_of(payload) == PING:
        return _json(ANSWERS[PING])
    return _nothing() if is_ping_of_webhooks(payload) else None


def thank(_: Instance, request: WebhookRequest) -> ProviderAnswer:
    """What an interaction must be answered; a webhook event wants an empty 204."""
    payload = read_json(request.body)
    if not isinstance(payload, dict):
        return _json({})
    if isinstance(payload.get("event"), dict):
        return _nothing()
    return _json(ANSWERS.get(type_of(payload), {}) if is_interaction(payload) else {})


def _json(content: Mapping[str, Any]) -> ProviderAnswer:
    return ProviderAnswer(body=json.dumps(content).encode(), content_type="application/json")


def _nothing() -> ProviderAnswer:
    return ProviderAnswer(204, content_type="application/json")


DISCORD = ConnectorKind(
    id="discord",
    title="Discord: the gateway, interactions and webhook events",
    normaliser=DiscordEvents,
    verifier=lambda instance: DiscordSignature(instance.secrets),
    handshake=greet,
    receipt=thank,
    puller=gateway_of,
    options={"api_url": "where Discord's API is (default: https://discord.com/api/v10)"},
    setup=(
        "Messages: discord.com/developers > your application > Bot: switch on Message Content Intent; the bot's token\n"
        "is a token here. Invite the bot with the permissions View Channels and Read Message History.\n"
        "Commands and forms: General Information: put the Public Key where secrets: points to, and enter\n"
        "https://<your host>/in/discord as Interactions Endpoint URL and, under Webhooks, as Endpoint.\n"
        "Name your people and their roles under own_ids: they are agents; name your own server there, and it is no\n"
        "customer."
    ),
)
