"""What the webhooks of Meta's products have in common: handshake, signature, and entries with changes.

Source: Meta for Developers, "Webhooks: Getting started". The app's secret signs every body; a verify token, chosen by
whoever sets the webhook up, answers the one GET request that asks whether the address is right. `whatsapp_channel`
and `meta_messaging` read what is inside.
"""

from streams.connectors.connector_contract import Instance, ProviderAnswer, Verdict, WebhookRequest
from streams.connectors.hmac_signatures import HmacScheme, HmacVerifier
from streams.connectors.shared_secrets import KnownTokens
from streams.connectors.signatures import raw_text

META_SIGNATURE = HmacScheme(header="x-hub-signature-256", prefix="sha256=")


def meta_verifier(instance: Instance) -> HmacVerifier:
    """The signature by the app's secret.

    Raises:
        ValueError: there is no secret.
    """
    return HmacVerifier(META_SIGNATURE, instance.secrets)


def verify_token(instance: Instance, request: WebhookRequest, verdict: Verdict) -> ProviderAnswer | None:  # noqa: ARG001 - a GET is not signed
    """The challenge back to who knows the verify token (`tokens` of the instance)."""
    if request.method != "GET" or request.query.get("hub.mode") != "subscribe":
        return None
    shown = [request.query.get("hub.verify_token", "")]
    if not instance.tokens or not KnownTokens(instance.tokens).know(shown):
        return ProviderAnswer(403)
    return ProviderAnswer(body=raw_text(request.query.get("hub.challenge", "")))
