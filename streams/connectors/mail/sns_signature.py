"""Amazon SNS over HTTPS: the signature of its messages, its certificates, and the subscription that it wants confirmed.

Source: Amazon SNS Developer Guide, "Verifying the signatures of Amazon SNS messages" and "Parsing Amazon SNS message
formats". Anybody with an AWS account can have SNS sign something and send it here, so the topics are listed. Nothing
is fetched or called but from SNS itself: `https://sns.<region>.amazonaws.com`.
"""

import base64
import binascii
import logging
import re
from collections.abc import Awaitable, Callable, Collection
from urllib.parse import SplitResult, urlsplit

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey
from cryptography.hazmat.primitives.hashes import SHA1, SHA256, HashAlgorithm
from cryptography.x509 import load_pem_x509_certificate

from streams.connectors.connector_contract import GENUINE, Instance, ProviderAnswer, Refused, Verdict, WebhookRequest
from streams.connectors.listed_fetch import NotFetched, fetch_listed
from streams.connectors.payload_reading import Json, read_json, text

log = logging.getLogger(__name__)

TOPICS = "topics"
TOPICS_MEANING = "the ARNs of the SNS topics that may send here, with blanks between them"

SIGNED_OF_A_NOTIFICATION = ("Message", "MessageId", "Subject", "Timestamp", "TopicArn", "Type")
SIGNED_OF_A_CONFIRMATION = ("Message", "MessageId", "SubscribeURL", "Timestamp", "Token", "TopicArn", "Type")
CONFIRMATION = "SubscriptionConfirmation"
CONFIRMATIONS = (CONFIRMATION, "UnsubscribeConfirmation")

MOST_CERTIFICATES = 32
"""Kept at once. A region has one, and changes it about once a year."""

_HOST = re.compile(r"sns\.[a-z]{2}(?:-[a-z]{2,12}){1,3}-[0-9]{1,2}\.amazonaws\.com", re.ASCII)

Fetch = Callable[[str, Collection[str]], Awaitable[bytes]]
"""Gets the content of an address, from one of these hosts only."""


class SnsSignature:
    """Verifies messages of the listed topics with the certificates that SNS publishes, and keeps these.

    The time of a message is not judged: SNS repeats one for days under its first time. A replay changes nothing, since
    events have ids.
    """

    def __init__(self, instance: Instance, fetch: Fetch = fetch_listed) -> None:
        """Take the topics of the instance.

        Raises:
            ValueError: no topic is listed.
        """
        self._topics = frozenset(instance.options.get(TOPICS, "").split())
        if not self._topics:
            raise ValueError(f"{TOPICS}: is missing: which SNS topics may send here")
        self._fetch = fetch
        self._keys: dict[str, RSAPublicKey] = {}

    async def fetch_keys(self, request: WebhookRequest) -> None:
        """Have the certificate of a message at hand; and confirm a subscription, once its message is proven."""
        message = _message_in(request)
        address = certificate_address(message)
        if text(message, "TopicArn") not in self._topics or address is None:
            return
        if address not in self._keys:
            self.learn(address, await self._fetched(address) or b"")
        if text(message, "Type") == CONFIRMATION and self.verify(request).genuine:
            await self._confirm(message)

    def learn(self, address: str, certificate: bytes) -> None:
        """Keep the certificate that SNS publishes at an address. What is none is not kept."""
        key = _public_key(certificate)
        if key is not None:
            self._keys = dict(list(self._keys.items())[1 - MOST_CERTIFICATES :]) | {address: key}

    async def _confirm(self, message: Json) -> None:
        """Call the address that makes the subscription valid."""
        address = text(message, "SubscribeURL")
        if address is not None and is_of_sns(urlsplit_or_none(address)):
            done = await self._fetched(address)
            log.info("SNS subscription to %s %s", text(message, "TopicArn"), "confirmed" if done else "not confirmed")

    async def _fetched(self, address: str) -> bytes | None:
        try:
            return await self._fetch(address, {urlsplit(address).netloc})
        except NotFetched as error:
            log.warning("SNS does not give what it names: %s", error)
            return None

    def verify(self, request: WebhookRequest) -> Verdict:
        """Whether SNS signed this message, and for a topic of ours."""
        message = _message_in(request)
        signature, version = text(message, "Signature"), text(message, "SignatureVersion")
        if signature is None:
            return Verdict("missing_signature")
        address = certificate_address(message)
        digest = {"1": SHA1, "2": SHA256}.get(version or "")
        if address is None or digest is None or text(message, "TopicArn") not in self._topics:
            return Verdict("bad_signature")
        key = self._keys.get(address)
        if key is None:
            return Verdict("keys_unavailable")
        return GENUINE if _fits(key, signature, canonical(message), digest()) else Verdict("bad_signature")


def _message_in(request: WebhookRequest) -> Json:
    found = read_json(request.body)
    return None if isinstance(found, Refused) else found


def canonical(message: Json) -> bytes:
    """What SNS signs: names and values of the fields of this type of message, each in a line of its own."""
    is_confirmation = text(message, "Type") in CONFIRMATIONS
    names = SIGNED_OF_A_CONFIRMATION if is_confirmation else SIGNED_OF_A_NOTIFICATION
    found = [(name, message.get(name)) for name in names] if isinstance(message, dict) else []
    signed = "".join(f"{name}\n{value}\n" for name, value in found if isinstance(value, str))
    return signed.encode("utf-8", "surrogatepass")


def _fits(key: RSAPublicKey, signature: str, signed: bytes, digest: HashAlgorithm) -> bool:
    try:
        written = "".join(signature.split()).encode("utf-8", "replace")
        key.verify(base64.b64decode(written, validate=True), signed, PKCS1v15(), digest)
    except (InvalidSignature, ValueError, binascii.Error):
        return False
    return True


def certificate_address(message: Json) -> str | None:
    """The address of the certificate; null where it is none of SNS's."""
    address = text(message, "SigningCertURL")
    parts = urlsplit_or_none(address) if address is not None else None
    return address if is_of_sns(parts) and parts is not None and parts.path.endswith(".pem") else None


def urlsplit_or_none(address: str) -> SplitResult | None:
    """The parts of an address; null where it is none."""
    try:
        return urlsplit(address)
    except ValueError:
        return None


def is_of_sns(address: SplitResult | None) -> bool:
    """Whether an address is one of SNS's own, by HTTPS, with nothing that could lead elsewhere."""
    return address is not None and address.scheme == "https" and _HOST.fullmatch(address.netloc) is not None


def _public_key(certificate: bytes) -> RSAPublicKey | None:
    try:
        key = load_pem_x509_certificate(certificate).public_key()
    except ValueError:
        return None
    return key if isinstance(key, RSAPublicKey) else None


def greet_sns(instance: Instance, request: WebhookRequest, verdict: Verdict) -> ProviderAnswer | None:  # noqa: ARG001
    """The answer to a genuine confirmation; `SnsSignature.fetch_keys` has called SNS back."""
    if not verdict.genuine or text(_message_in(request), "Type") not in CONFIRMATIONS:
        return None
    return ProviderAnswer(body=b"heard")
