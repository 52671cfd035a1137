"""The token that the Bot Framework sends with every activity: `Authorization: Bearer <JWT>`, signed with RS256.

Source: Microsoft, "Authentication with the Bot Connector API", step 4, whose seven requirements are checked here. The
token covers no body; that it names the activity's `serviceUrl` is all that ties the two together. `teams_keys` has the
keys, `teams_proof` decides that a request came by this way.
"""

from datetime import UTC, datetime
from typing import Any

import jwt
import msgspec

from streams.connectors.connector_contract import GENUINE, Refusal, Verdict, WebhookRequest
from streams.connectors.messengers.teams_keys import SigningKey, SigningKeys
from streams.connectors.payload_reading import number
from streams.connectors.signatures import TOLERANCE

ALGORITHM = "RS256"
TEAMS_CHANNEL = "msteams"


class _Claimed(msgspec.Struct, rename="camel"):
    """What an activity says of itself that the token must bear out."""

    type: Any = None
    service_url: Any = None
    channel_id: Any = None


_decoder = msgspec.json.Decoder(_Claimed)


class BotTokens:
    """Verifies the tokens that are meant for one bot."""

    def __init__(self, app_id: str, keys: SigningKeys) -> None:
        self._app_id = app_id
        self._keys = keys

    async def fetch_keys(self, request: WebhookRequest, token: str) -> None:
        """Have the key at hand that a token names."""
        key_id = _key_id(token)
        if key_id is not None:
            await self._keys.have(key_id, request.received_at)

    def verify(self, request: WebhookRequest, token: str) -> Verdict:
        """Whether the token is the Bot Framework's, for this bot, in time, and for this activity."""
        key_id = _key_id(token)
        if key_id is None:
            return Verdict("bad_token")
        if not self._keys.usable(request.received_at):
            return Verdict("keys_unavailable")
        key = self._keys.find(key_id)
        claims = self._claims(token, key) if key is not None else "bad_token"
        if key is None or isinstance(claims, str):
            return Verdict(claims if isinstance(claims, str) else "bad_token")
        late_or_early = _judged_by_time(claims, request.received_at)
        if late_or_early is not None:
            return Verdict(late_or_early)
        return GENUINE if _bears_out(claims, key, request.body) else Verdict("bad_token")

    def _claims(self, token: str, key: SigningKey) -> dict[str, Any] | Refusal:
        try:
            return jwt.decode(
                token,
                key.key,
                algorithms=[ALGORITHM],
                audience=self._app_id,
                issuer=self._keys.issuer,
                # Times are judged below: PyJWT would take the machine's clock, but the request's time is now.
                options={
                    "require": ["exp", "aud", "iss"],
                    "strict_aud": True,
                    "verify_exp": False,
                    "verify_nbf": False,
                    "verify_iat": False,
                },
            )
        except jwt.InvalidSignatureError:
            return "bad_signature"
        except (jwt.PyJWTError, ValueError, TypeError, RecursionError):
            return "bad_token"


def _key_id(token: str) -> str | None:
    """The key that a token says it is signed with; null where it is no token of this kind."""
    try:
        header = jwt.get_unverified_header(token)
    except (jwt.PyJWTError, ValueError, RecursionError):  # the header is anybody's: no text, nested 4,000 deep ...
        return None
    key_id = header.get("kid")
    return key_id if header.get("alg") == ALGORITHM and isinstance(key_id, str) and key_id else None


def _judged_by_time(claims: dict[str, Any], now: datetime) -> Refusal | None:
    expires, begins = number(claims, "exp"), number(claims, "nbf")
    seconds, tolerance = now.astimezone(UTC).timestamp(), TOLERANCE.total_seconds()
    if expires is None or (begins is None and claims.get("nbf") is not None):
        return "bad_token"
    if expires + tolerance < seconds:
        return "timestamp_too_old"
    if begins is not None and begins - tolerance > seconds:
        return "timestamp_too_new"
    return None


def _bears_out(claims: dict[str, Any], key: SigningKey, body: bytes) -> bool:
    """Whether what the activity says of itself is what the token and its key vouch for.

    What is no activity claims nothing: a genuine sender wrote it, and the normaliser says what is wrong with it.
    """
    try:
        claimed = _decoder.decode(body)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        claimed = _Claimed()
    channel = TEAMS_CHANNEL if claimed.channel_id is None else claimed.channel_id
    if not isinstance(channel, str) or channel not in key.endorsements:
        return False
    # The claim is spelled in lower case; the first versions of the protocol wrote it like the activity does.
    vouched = claims.get("serviceurl", claims.get("serviceUrl"))
    if claimed.service_url is None and claimed.type is None:
        return True
    return isinstance(vouched, str) and claimed.service_url == vouched
