"""Senders among messengers, and the payloads that their tests vary."""

import json
from collections.abc import Mapping
from datetime import datetime
from typing import Any

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from streams.connectors.connector_contract import Headers, WebhookRequest
from streams.connectors.messengers.discord_signature import DiscordSignature
from streams.connectors.messengers.slack_channel import SIGNATURE
from tests.senders.sender import NOW, Sender


def sign_slack(secret: str, body: bytes, at: datetime) -> dict[str, str]:
    seconds = str(int(at.timestamp()))
    request = WebhookRequest("POST", Headers([]), body, at)
    return {
        "x-slack-request-timestamp": seconds,
        "x-slack-signature": SIGNATURE.sign(secret, request, seconds),
    }


def slack_event(event: Mapping[str, Any], **envelope: Any) -> dict[str, Any]:
    """An event of the workspace T-OWN in Slack's envelope."""
    return {
        "token": "verification",
        "team_id": "T-OWN",
        "api_app_id": "A1",
        "event": dict(event),
        "type": "event_callback",
        "event_id": "Ev1",
        "event_time": 1772443798,
        "authorizations": [{"team_id": "T-OWN", "user_id": "U-APP", "is_bot": True, "is_enterprise_install": False}],
        "is_ext_shared_channel": False,
    } | envelope


def slack_message(**fields: Any) -> dict[str, Any]:
    """A message in a channel, without an envelope."""
    return {
        "type": "message",
        "user": "U-ASKS",
        "text": "It is broken",
        "ts": "1772443798.000100",
        "channel": "C1",
        "channel_type": "channel",
    } | fields


def discord_private(seed: str) -> Ed25519PrivateKey:
    return Ed25519PrivateKey.from_private_bytes(seed.encode().ljust(32, b".")[:32])


def discord_public(seed: str) -> str:
    return discord_private(seed).public_key().public_bytes_raw().hex()


def sign_discord(seed: str, body: bytes, at: datetime) -> dict[str, str]:
    seconds = str(int(at.timestamp()))
    return {
        DiscordSignature.TIMESTAMP: seconds,
        DiscordSignature.SIGNATURE: discord_private(seed).sign(seconds.encode() + body).hex(),
    }


def snowflake(at: datetime = NOW) -> str:
    """An id that was made at this instant."""
    return str((int(at.timestamp() * 1000) - 1_420_070_400_000) << 22)


def discord_message(**fields: Any) -> dict[str, Any]:
    """A message in a server's channel, as the gateway tells it."""
    return {
        "id": "334385199974967042",
        "channel_id": "500",
        "guild_id": "900",
        "author": {"id": "53", "username": "mason", "discriminator": "0"},
        "member": {"roles": ["77"], "nick": None},
        "content": "It is broken",
        "timestamp": "2026-03-02T09:29:58.123000+00:00",
        "edited_timestamp": None,
        "attachments": [],
        "type": 0,
    } | fields


def discord_dispatch(name: str, data: Mapping[str, Any]) -> dict[str, Any]:
    """A dispatch of the gateway."""
    return {"op": 0, "t": name, "s": 42, "d": dict(data)}


def discord_interaction(kind: int, **fields: Any) -> dict[str, Any]:
    """An interaction in a server's channel."""
    return {
        "id": snowflake(),
        "application_id": "1",
        "type": kind,
        "token": "continue",
        "version": 1,
        "guild_id": "900",
        "channel_id": "500",
        "member": {"user": {"id": "53", "username": "mason"}, "roles": ["77"]},
    } | fields


TYPED = {
    "id": "8",
    "name": "support",
    "type": 1,
    "options": [{"type": 3, "name": "question", "value": "It is broken"}],
}
"""The data of a slash command."""

SECRETS = ("last year's", "this year's", "somebody else's")

MESSENGERS_SENDERS = [
    Sender(
        connector="slack",
        payload=json.dumps(slack_event(slack_message())).encode(),
        sign=sign_slack,
        secrets=SECRETS,
        signed_headers=("x-slack-request-timestamp", "x-slack-signature"),
        unknown=json.dumps(slack_event({"type": "teleported"})).encode(),
    ),
    Sender(
        connector="discord",
        payload=json.dumps(discord_interaction(2, data=TYPED)).encode(),
        sign=sign_discord,
        secrets=SECRETS,
        public_half=discord_public,
        signed_headers=(DiscordSignature.TIMESTAMP, DiscordSignature.SIGNATURE),
        unknown=json.dumps(discord_dispatch("teleported", {})).encode(),
    ),
]
