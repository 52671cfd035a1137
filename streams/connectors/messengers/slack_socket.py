"""Slack's Socket Mode: events over a WebSocket that we open, for whoever has no address that Slack could call.

Source: Slack developer documentation, "Using Socket Mode". An envelope is acknowledged once Kafka has what is in it;
what is not acknowledged Slack tells again, over this connection or another, and its ids make that harmless. Before
Slack closes a connection it says so: a second one is opened while the first is read to its end. `slack_channel` reads
the envelopes.
"""

import asyncio
import logging
from contextlib import suppress
from urllib.parse import urlsplit

import aiohttp

from streams.connectors.connector_contract import Instance, Refused
from streams.connectors.kept_socket import KeptSocket, SocketEnded, may_be_kept, open_socket
from streams.connectors.payload_reading import id_text, read_json, text, word
from streams.connectors.provider_api import ask, is_loopback, provider_address, provider_session
from streams.connectors.source_contract import Deliver, PullTrouble

log = logging.getLogger(__name__)

API_URL = "https://slack.com/api"
APP_TOKEN_PREFIX = "xapp-"  # noqa: S105 - how app tokens begin
PING_SECONDS = 15.0
"""Slack pings as well, and drops whoever is silent for longer."""
LAST_SECONDS = 60.0
"""How long a connection that Slack wants to close is read; it closes it after some ten seconds."""
MOST_BYTES = 4 * 1024 * 1024
"""Of one envelope; a message has at most 40,000 characters, with blocks and files some hundred kilobytes."""

HOPELESS = {
    "invalid_auth": "it is no token, or of an app that is gone",
    "not_authed": "it is empty",
    "not_allowed_token_type": "only app-level tokens open sockets",
    "missing_scope": "it lacks the scope connections:write",
    "no_permission": "it lacks the scope connections:write",
    "account_inactive": "its workspace or app is gone",
    "token_revoked": "it was revoked",
    "token_expired": "it has expired",
    "access_denied": "the workspace does not allow it",
    "ekm_access_denied": "the workspace does not allow it",
}
"""Why Slack opens no socket for a token, where waiting does not help."""


class SocketMode:
    """Keeps a connection open; at most two while one is being replaced. Other processes may keep their own."""

    def __init__(self, instance: Instance) -> None:
        """Take the app-level tokens of an instance.

        Raises:
            ValueError: one is no app-level token, or the address is none; the message shows no token.
        """
        self._tokens = [token.strip() for token in instance.tokens]
        if not all(token.startswith(APP_TOKEN_PREFIX) for token in self._tokens):
            raise ValueError(f"tokens: Socket Mode wants an app-level token ({APP_TOKEN_PREFIX}...)")
        self._api_url = provider_address(instance.options.get("api_url", API_URL))
        self._host = urlsplit(self._api_url).hostname or ""

    async def run(self, position: str | None, deliver: Deliver) -> None:  # noqa: ARG002 - Slack keeps the position
        """Receive until Slack closes in order. Slack itself remembers what was not acknowledged."""
        leaving: set[asyncio.Task[None]] = set()
        async with provider_session(self._api_url) as session:
            try:
                while True:
                    socket = await self._connected(session)
                    if not await _heard_out(socket, deliver):
                        return
                    reading = asyncio.create_task(_read_to_the_end(socket, deliver))
                    leaving.add(reading)
                    reading.add_done_callback(leaving.discard)
            finally:
                still = list(leaving)
                for each in still:
                    each.cancel()
                await asyncio.gather(*still, return_exceptions=True)

    async def _connected(self, session: aiohttp.ClientSession) -> KeptSocket:
        url = await self._address(session)
        if not may_be_kept(url, (self._host,), loopback=is_loopback(self._api_url)):
            raise PullTrouble("Slack names a socket that is not on its own host", hopeless=True)
        return await open_socket(session, url, most_bytes=MOST_BYTES, ping_seconds=PING_SECONDS)

    async def _address(self, session: aiohttp.ClientSession) -> str:
        """An address to connect to, once: it holds a ticket, which is a secret."""
        refusal = ""
        for token in self._tokens:
            answer = await ask(
                session,
                "POST",
                f"{self._api_url}/apps.connections.open",
                (self._host,),
                headers={"Authorization": f"Bearer {token}"},
                form={},
            )
            url = text(answer.content, "url")
            if url is not None:
                return url
            refusal = word(answer.content, "error") or ""
            if refusal not in HOPELESS:
                said = refusal[:80] or str(answer.status)
                raise PullTrouble(f"Slack opens no socket: {said}", retry_after_seconds=answer.retry_after_seconds)
        raise PullTrouble(f"Slack refuses the app-level token ({refusal}): {HOPELESS[refusal]}", hopeless=True)


async def _heard_out(socket: KeptSocket, deliver: Deliver) -> bool:
    """Listen; the connection stays open only if Slack wants another one, since then this one is not done yet."""
    goes_on = False
    try:
        goes_on = await _listen(socket, deliver)
    finally:
        if not goes_on:
            await socket.close()
    return goes_on


async def _listen(socket: KeptSocket, deliver: Deliver) -> bool:
    """Store and acknowledge until Slack wants another connection (true) or has closed this one in order (false).

    Raises:
        PullTrouble: the connection is lost, or Socket Mode is switched off.
    """
    try:
        while True:
            received = await socket.receive()
            envelope = read_json(received.encode("utf-8", "replace"))
            kind = None if isinstance(envelope, Refused) else word(envelope, "type")
            if kind == "disconnect":
                return _another_wanted(word(envelope, "reason") or "")
            if kind == "hello":
                log.info(
                    "Slack: connected, with %s of this app", id_text(envelope, "num_connections") or "a connection"
                )
            envelope_id = text(envelope, "envelope_id")
            if envelope_id is not None:
                await deliver([received.encode("utf-8", "replace")])
                await socket.send({"envelope_id": envelope_id})
    except SocketEnded as ended:
        if ended.code == aiohttp.WSCloseCode.OK:
            return False
        raise PullTrouble(f"The connection to Slack is lost: {ended}") from None


def _another_wanted(reason: str) -> bool:
    if reason == "link_disabled":
        raise PullTrouble("Socket Mode of the app is switched off", hopeless=True)
    if reason == "too_many_websockets":
        raise PullTrouble("The app has as many connections as Slack allows")
    return True


async def _read_to_the_end(socket: KeptSocket, deliver: Deliver) -> None:
    """Read a connection that Slack is about to close: what is on its way is stored like the rest."""
    try:
        with suppress(PullTrouble, TimeoutError):
            async with asyncio.timeout(LAST_SECONDS):
                while await _listen(socket, deliver):
                    pass
    finally:
        await socket.close()


def socket_mode_of(instance: Instance) -> SocketMode | None:
    """What fetches for an instance that has app-level tokens; others are called by HTTP.

    Raises:
        ValueError: see `SocketMode`.
    """
    return SocketMode(instance) if instance.tokens else None
