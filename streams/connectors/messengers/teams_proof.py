"""How a request of Teams proves itself: as a bot's activity, as an outgoing webhook's, or as a Graph notification.

An instance accepts the ways that it was given the means for: the option `app_id` for bots (`teams_bot_token`),
`secrets` for outgoing webhooks, `tokens` for the `clientState` of Graph subscriptions. Where Careline itself subscribes
(`client_id`, see `teams_subscriptions`), `tokens` are secrets of that app, and the `clientState` follows from them.
`teams_channel` puts it into the registry.
"""

import base64
import hmac

from streams.connectors.connector_contract import GENUINE, Instance, Refused, Verdict, WebhookRequest
from streams.connectors.hmac_signatures import HmacScheme, HmacVerifier
from streams.connectors.messengers.teams_bot_token import BotTokens
from streams.connectors.messengers.teams_keys import OPENID_URL, SigningKeys
from streams.connectors.payload_reading import Json, at, read_json, table, text
from streams.connectors.shared_secrets import KnownTokens

AUTHORIZATION = "authorization"

OUTGOING_WEBHOOK = HmacScheme(
    header=AUTHORIZATION,
    written="base64",
    prefix="HMAC ",
    key=lambda secret: base64.b64decode(secret, validate=True),
)
"""Source: Microsoft Teams documentation, "Create Outgoing Webhooks": the key is the security token, decoded."""


class TeamsProof:
    """Verifies what an instance accepts."""

    def __init__(self, instance: Instance) -> None:
        """Take what the instance was given.

        Raises:
            ValueError: that is nothing, or a secret is no base64; the message shows none.
        """
        app_id = instance.options.get("app_id")
        keys = SigningKeys(instance.options.get("openid_url", OPENID_URL))
        self._bots = BotTokens(app_id.strip(), keys) if app_id and app_id.strip() else None
        self._outgoing = HmacVerifier(OUTGOING_WEBHOOK, instance.secrets) if instance.secrets else None
        states = client_states(instance)
        self._client_states = KnownTokens(states) if states else None
        if self._bots is None and self._outgoing is None and self._client_states is None:
            raise ValueError(
                "app_id (a bot), secrets (an outgoing webhook) or tokens (a Graph clientState) are missing"
            )

    async def fetch_keys(self, request: WebhookRequest) -> None:
        """Have the key at hand that a bot's token names."""
        scheme, token = credentials(request)
        if self._bots is not None and scheme == "bearer":
            await self._bots.fetch_keys(request, token)

    def verify(self, request: WebhookRequest) -> Verdict:
        """The verdict by the way that the request came."""
        if request.headers.repeated(AUTHORIZATION):
            return Verdict("repeated_header")
        scheme, token = credentials(request)
        if not scheme:
            return self._by_client_state(request.body)
        if scheme == "bearer" and self._bots is not None:
            return self._bots.verify(request, token)
        if scheme == "hmac" and self._outgoing is not None:
            return self._outgoing.verify(request)
        return Verdict("bad_token")

    def _by_client_state(self, body: bytes) -> Verdict:
        """Every notification of the batch must bring a `clientState` of ours: one alone proves nothing of the rest."""
        presented = [text(each, "clientState") for each in notifications_in(read_json(body))]
        if self._client_states is None or not any(presented):
            return Verdict("missing_signature")
        right = [self._client_states.know([each or ""]) for each in presented]
        return GENUINE if all(right) else Verdict("bad_token")


def client_states(instance: Instance) -> list[str]:
    """What notifications of Graph must show: the tokens, or what follows from the secrets of the app that subscribes.

    From a state nobody learns the secret, and an instance cannot show the state of another.
    """
    tokens = [token.strip() for token in instance.tokens if token.strip()]
    if not instance.options.get("client_id"):
        return tokens
    purpose = f"careline clientState of {instance.name}".encode()
    return [hmac.digest(token.encode("utf-8", "surrogatepass"), purpose, "sha256").hex() for token in tokens]


def credentials(request: WebhookRequest) -> tuple[str, str]:
    """The scheme of the `Authorization` header in lower case, and what stands behind it; empty where there is none."""
    scheme, _, value = (request.headers.get(AUTHORIZATION) or "").strip().partition(" ")
    return scheme.lower(), value.strip()


def notifications_in(content: Json | Refused) -> list[Json]:
    """The change notifications of a body: a batch under `value`, or a single one as documents show it."""
    batch = at(content, "value")
    if isinstance(batch, list):
        return batch
    return [content] if is_notification(content) else []


def is_notification(item: Json) -> bool:
    """Whether this is a change or lifecycle notification of Microsoft Graph."""
    found = table(item)
    return "subscriptionId" in found and ("changeType" in found or "lifecycleEvent" in found)
