"""Microsoft Teams (id `teams`): bot activities, outgoing webhooks and Graph notifications, as canonical interactions.

Three ways in lead to two shapes: `teams_activity` reads activities, `teams_graph` notifications and chat messages.
`teams_proof` says which of the ways an instance accepts, `teams_subscriptions` keeps Graph's subscriptions and fetches
what notifications only point to. A thread in a channel is a conversation of its own, a chat is
one for ever; both ways call them by the same id.
"""

import json

from streams.connectors.connector_contract import (
    ConnectorKind,
    Draft,
    Ignored,
    Instance,
    ProviderAnswer,
    Reading,
    Refused,
    Verdict,
    WebhookRequest,
)
from streams.connectors.drafting import Drafter
from streams.connectors.messengers.teams_activity import read_activity
from streams.connectors.messengers.teams_graph import is_chat_message, read_chat_message, read_notification
from streams.connectors.messengers.teams_proof import TeamsProof, credentials, is_notification
from streams.connectors.messengers.teams_subscriptions import subscriptions_of
from streams.connectors.payload_reading import Json, Malformed, at, read_each, read_json, table, text

REPLY = "We have received your message."


class TeamsEvents:
    """Reads whatever Teams sends, and the bare objects that its documents show."""

    def __init__(self, instance: Instance) -> None:
        self._instance = instance

    def normalise(self, request: WebhookRequest) -> Reading:
        """The events of an activity, of a batch of notifications, or of chat messages."""
        content = read_json(request.body)
        if isinstance(content, Refused):
            return [content]
        drafter = Drafter(self._instance, request, "teams")
        batch = content if isinstance(content, list) else _batch_in(content)
        if batch is None:
            return _read(content, drafter, None)
        context = text(content, "@odata.context")
        return read_each(batch, lambda item: _read(item, drafter, context)) or [Ignored("nothing_inside")]


def _batch_in(content: Json) -> list[Json] | None:
    """The items of a Graph collection; an activity may have a `value` as well."""
    value = at(content, "value")
    return value if isinstance(value, list) and "type" not in content else None


def _read(item: Json, drafter: Drafter, context: str | None) -> Reading:
    try:
        if is_notification(item):
            return [_sealed(each, item) for each in read_notification(item, drafter)]
        if is_chat_message(item):
            return read_chat_message(item, drafter, context)
        return read_activity(item, drafter)
    except Malformed as error:
        return [_sealed(Refused("malformed_payload", str(error)), item)]


def _sealed(reading: Draft | Ignored | Refused, item: Json) -> Draft | Ignored | Refused:
    """A refused notification without its `clientState`: that is a secret, and dead letters are shown."""
    if not isinstance(reading, Refused) or "clientState" not in table(item):
        return reading
    shown = {key: value for key, value in item.items() if key != "clientState"}
    return Refused(reading.reason, reading.detail, json.dumps(shown).encode())


def greet(instance: Instance, request: WebhookRequest, verdict: Verdict) -> ProviderAnswer | None:  # noqa: ARG001 - nothing proves it yet
    """Graph asks whether the address is ours before it makes a subscription, and wants its token back as plain text.

    Source: Microsoft Graph documentation, "notificationUrl validation"; answered within 10 seconds.
    """
    token = request.query.get("validationToken")
    if token is None or request.method != "POST" or not instance.tokens:
        return None
    headers = {"X-Content-Type-Options": "nosniff"}
    return ProviderAnswer(200, token.encode("utf-8", "replace"), "text/plain", headers)


def thank(instance: Instance, request: WebhookRequest) -> ProviderAnswer | None:
    """What an outgoing webhook is answered: a message, which Teams shows in the channel within 5 seconds."""
    if credentials(request)[0] != "hmac":
        return None
    reply = {"type": "message", "text": instance.options.get("reply", REPLY)}
    return ProviderAnswer(200, json.dumps(reply).encode(), "application/json")


TEAMS = ConnectorKind(
    id="teams",
    title="Microsoft Teams: bots, outgoing webhooks, Graph change notifications",
    normaliser=TeamsEvents,
    verifier=TeamsProof,
    handshake=greet,
    receipt=thank,
    puller=subscriptions_of,
    options={
        "app_id": "the Microsoft App ID of the bot; its activities are accepted",
        "openid_url": "where the Bot Framework's keys are announced, for a sovereign cloud (default: the public one)",
        "reply": "what an outgoing webhook answers in the channel",
        "client_id": "the app that subscribes at Graph and fetches messages; then tokens are its client secrets",
        "tenant_id": "the tenant in which that app was registered and agreed to",
        "subscribe": "what it subscribes to (default: chats/getAllMessages teams/getAllMessages)",
        "graph_url": "where Graph is, for a national cloud (default: https://graph.microsoft.com)",
        "login_url": "where that app gets its token (default: https://login.microsoftonline.com)",
    },
    setup=(
        "Any of three ways, also several at once; the address is https://<your host>/in/teams.\n"
        "A bot: Azure portal > Azure Bot > Configuration > Messaging endpoint; its Microsoft App ID is app_id here.\n"
        "An outgoing webhook: Teams > Manage team > Apps > Create an outgoing webhook; its token is a secret here.\n"
        "Graph: register an app (entra.microsoft.com > App registrations) with the application permissions\n"
        "Chat.Read.All and ChannelMessage.Read.All and the consent of an administrator. Its ids are client_id and\n"
        "tenant_id here, its client secret a token, and public_url is this host: Careline subscribes and renews by\n"
        "itself. Who subscribes elsewhere leaves these out; the clientState is a token here.\n"
        "own_ids: your tenant's id (and bots or people of yours in other tenants)."
    ),
)
