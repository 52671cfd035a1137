"""Microsoft Graph as an app asks it: with a token for itself (client credentials), patient where Graph is busy.

Sources: Microsoft identity platform, "OAuth 2.0 client credentials flow"; Microsoft Graph documentation, "Throttling
guidance". `teams_subscriptions` asks for subscriptions and messages with it.
"""

import asyncio
import time
from collections.abc import Mapping
from urllib.parse import quote, urlsplit

import aiohttp

from streams.connectors.connector_contract import Instance
from streams.connectors.payload_reading import Json, items, number, text, word
from streams.connectors.provider_api import ApiAnswer, ask, provider_address
from streams.connectors.source_contract import PullTrouble

GRAPH_URL = "https://graph.microsoft.com"
LOGIN_URL = "https://login.microsoftonline.com"
RENEW_BEFORE_SECONDS = 300.0
"""A token is renewed so long before it ends: clocks differ, and a call takes its time."""

HOPELESS = frozenset({"invalid_client", "unauthorized_client", "invalid_request", "invalid_scope", "access_denied"})
"""Why no token is given to an app, where asking again does not help: its id, its tenant or its secret is wrong."""


class GraphApi:
    """The calls of one app in one tenant; for one event loop."""

    def __init__(self, instance: Instance) -> None:
        """Take the app of an instance: `client_id`, `tenant_id`, and the first of its secrets.

        Raises:
            ValueError: one is missing, or an address is none.
        """
        tenant, self._client_id = instance.options.get("tenant_id"), instance.options.get("client_id")
        if not tenant or not self._client_id or not instance.tokens:
            raise ValueError("for Graph, client_id, tenant_id and tokens (the app's client secret) belong together")
        self._secret = instance.tokens[0].strip()
        self.url = provider_address(instance.options.get("graph_url", GRAPH_URL))
        login_url = provider_address(instance.options.get("login_url", LOGIN_URL))
        self._token_url = f"{login_url}/{quote(tenant.strip(), safe='')}/oauth2/v2.0/token"
        self._token = ""
        self._token_until = self._busy_until = 0.0
        self._signing_in = asyncio.Lock()

    async def call(
        self, session: aiohttp.ClientSession, method: str, path: str, content: Mapping[str, Json] | None = None
    ) -> ApiAnswer:
        """Graph's answer, with a fresh token where the one at hand is no longer taken.

        Raises:
            PullTrouble: Graph is busy or out of reach, or gives no token.
        """
        answer = await self._asked(session, method, path, content)
        if answer.status == 401:
            self._token_until = 0.0
            answer = await self._asked(session, method, path, content)
        if answer.status == 429 or answer.status >= 500:
            wait = answer.retry_after_seconds
            self._busy_until = max(self._busy_until, time.monotonic() + (wait or 0.0))
            raise PullTrouble(f"Microsoft Graph is busy ({answer.status})", retry_after_seconds=wait)
        return answer

    async def _asked(
        self, session: aiohttp.ClientSession, method: str, path: str, content: Mapping[str, Json] | None
    ) -> ApiAnswer:
        still = self._busy_until - time.monotonic()
        if still > 0:  # asking meanwhile would only make it longer
            raise PullTrouble("Microsoft Graph has asked for a pause", retry_after_seconds=still)
        headers = {"Authorization": f"Bearer {await self._current_token(session)}"}
        hosts = (urlsplit(self.url).hostname or "",)
        return await ask(session, method, f"{self.url}/v1.0{path}", hosts, headers=headers, content=content)

    async def _current_token(self, session: aiohttp.ClientSession) -> str:
        async with self._signing_in:  # whoever comes meanwhile waits for this answer instead of asking as well
            if time.monotonic() >= self._token_until:
                await self._sign_in(session)
            return self._token

    async def _sign_in(self, session: aiohttp.ClientSession) -> None:
        form = {
            "grant_type": "client_credentials",
            "client_id": (self._client_id or "").strip(),
            "client_secret": self._secret,
            "scope": f"{self.url}/.default",
        }
        hosts = (urlsplit(self._token_url).hostname or "",)
        asked_at = time.monotonic()
        answer = await ask(session, "POST", self._token_url, hosts, headers={}, form=form)
        token = text(answer.content, "access_token")
        if answer.status != 200 or token is None:
            said = word(answer.content, "error") or str(answer.status)
            numbers = ", ".join(f"AADSTS{code}" for code in items(answer.content, "error_codes")[:3])
            raise PullTrouble(
                f"Microsoft gives the app no token: {said[:80]}" + (f" ({numbers[:80]})" if numbers else ""),
                retry_after_seconds=answer.retry_after_seconds,
                hopeless=said in HOPELESS,
            )
        self._token = token
        self._token_until = asked_at + (number(answer.content, "expires_in") or 0.0) - RENEW_BEFORE_SECONDS


def graph_trouble(answer: ApiAnswer, doing: str) -> PullTrouble:
    """Why Graph refused something, in its own words."""
    code = text(answer.content, "error", "code") or str(answer.status)
    said = text(answer.content, "error", "message") or ""
    return PullTrouble(
        f"Microsoft Graph refuses to {doing}: {code[:80]} {said[:200]!r}", hopeless=answer.status in {401, 403}
    )
