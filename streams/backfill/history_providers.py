"""The providers whose history can be fetched: where their API is, how one proves oneself, who reads it.

`careline connect backfill` chooses from here.
"""

import base64
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from streams.backfill.history_api import HistoryApi
from streams.backfill.history_source import HistorySource
from streams.backfill.hubspot_source import HubSpotSource
from streams.backfill.intercom_source import VERSION, IntercomSource
from streams.backfill.zendesk_source import ZendeskSource
from streams.connectors.connector_contract import Instance

SUBDOMAIN = re.compile(r"[a-z0-9][a-z0-9-]{0,62}", re.ASCII)


@dataclass(frozen=True, slots=True, kw_only=True)
class HistoryProvider:
    """One provider. `host` is null where every company has one of its own, named by its subdomain.

    `token_variable` is the environment variable with the token; `access` says in a line how to get one.
    """

    id: str
    host: str | None
    token_variable: str
    access: str
    source: Callable[[HistoryApi, Instance], HistorySource]
    headers: Mapping[str, str]

    def base_url(self, subdomain: str | None) -> str | None:
        """The address of the API; null where it takes a subdomain, and there is none that can be one."""
        if self.host is not None:
            return f"https://{self.host}"
        if subdomain is None or not SUBDOMAIN.fullmatch(subdomain):
            return None
        return f"https://{subdomain}.zendesk.com"

    def proof(self, token: str, user: str | None) -> dict[str, str]:
        """The headers of every request. With a `user` the token is an API token of Zendesk's, else a bearer token."""
        if user is None:
            return {**self.headers, "Authorization": f"Bearer {token}"}
        pair = base64.b64encode(f"{user}/token:{token}".encode()).decode()
        return {**self.headers, "Authorization": f"Basic {pair}"}


PROVIDERS: dict[str, HistoryProvider] = {
    provider.id: provider
    for provider in (
        HistoryProvider(
            id="zendesk",
            host=None,
            token_variable="ZENDESK_API_TOKEN",  # noqa: S106 - the name of a variable
            access="an OAuth token with the scope read; or an API token of an admin, whose address goes to --user",
            source=ZendeskSource,
            headers={},
        ),
        HistoryProvider(
            id="intercom",
            host="api.intercom.io",
            token_variable="INTERCOM_ACCESS_TOKEN",  # noqa: S106 - the name of a variable
            access="the access token of an app that may read conversations, tickets, contacts and companies",
            source=IntercomSource,
            headers=VERSION,
        ),
        HistoryProvider(
            id="hubspot",
            host="api.hubapi.com",
            token_variable="HUBSPOT_ACCESS_TOKEN",  # noqa: S106 - the name of a variable
            access="the token of a private app that may read conversations, tickets, companies and contacts",
            source=HubSpotSource,
            headers={},
        ),
    )
}
