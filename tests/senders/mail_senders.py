"""Senders of mail: SES through SNS, Mailgun, SendGrid, Postmark."""

import base64
import json
from datetime import UTC, datetime
from functools import cache
from typing import Any
from urllib.parse import urlencode

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa
from cryptography.hazmat.primitives.hashes import SHA1, SHA256
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from cryptography.x509.oid import NameOID

from streams.connectors.connector_contract import Connector
from streams.connectors.mail.mailgun_route import MailgunSignature
from streams.connectors.mail.sendgrid_parse import SIGNATURE, TIMESTAMP
from streams.connectors.mail.sns_signature import SnsSignature, canonical
from tests.senders.sender import NOW, Sender

TOPIC = "arn:aws:sns:eu-central-1:123456789012:incoming-mail"
SNS = "https://sns.eu-central-1.amazonaws.com"
RAW = (
    "From: Ada <ada@acme.example>\r\nTo: help@ours.example\r\nSubject: It is broken\r\n"
    "Date: Mon, 2 Mar 2026 09:29:50 +0000\r\nMessage-ID: <m-1@acme.example>\r\n\r\nIt is broken\r\n"
)


@cache
def rsa_key(name: str) -> rsa.RSAPrivateKey:
    """A key of this name, the same during a run."""
    assert name
    return rsa.generate_private_key(public_exponent=65537, key_size=2048)


@cache
def certificate(name: str) -> bytes:
    """A certificate of the key of this name, as SNS would publish it."""
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "sns.amazonaws.com")])
    built = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(subject)
        .public_key(rsa_key(name).public_key())
        .serial_number(1)
        .not_valid_before(datetime(2026, 1, 1, tzinfo=UTC))
        .not_valid_after(datetime(2027, 1, 1, tzinfo=UTC))
        .sign(rsa_key(name), SHA256())
    )
    return built.public_bytes(Encoding.PEM)


def certificate_url(name: str) -> str:
    return f"{SNS}/SimpleNotificationService-{name}.pem"


def sns_message(secret: str, *, version: str = "2", claims: str = "", **fields: Any) -> dict[str, Any]:
    """A message that SNS signed with the key `secret`, and with the certificate that it claims to have used."""
    message = {
        "Type": "Notification",
        "MessageId": "22b80b92-fdea-4c2c-8f9d-bdfb0c7bf324",
        "TopicArn": TOPIC,
        "Timestamp": "2026-03-02T09:29:58.000Z",
        "SignatureVersion": version,
        "SigningCertURL": certificate_url(claims or secret),
    } | fields
    digest = SHA1() if version == "1" else SHA256()
    signature = rsa_key(secret).sign(canonical(message), padding.PKCS1v15(), digest)
    return message | {"Signature": base64.b64encode(signature).decode()}


def in_sns(secret: str, body: bytes) -> bytes:
    """A notification of SES's inside a message of SNS's; anything else has no place for a signature."""
    if not secret or b"notificationType" not in body:
        return body
    claims = "this-year" if secret == "somebody-else" else secret
    return json.dumps(sns_message(secret, claims=claims, Message=body.decode())).encode()


def know_certificates(connector: Connector) -> None:
    verifier = connector.verifier
    assert isinstance(verifier, SnsSignature)
    for name in ("last-year", "this-year"):
        verifier.learn(certificate_url(name), certificate(name))


def ses_notification(**changes: Any) -> dict[str, Any]:
    """What SES publishes of a mail that it received."""
    return {
        "notificationType": "Received",
        "mail": {
            "timestamp": "2026-03-02T09:29:55.000Z",
            "source": "ada@acme.example",
            "messageId": "d6iitobk75ur44p8kdnnp7g2n800",
            "destination": ["help@ours.example"],
            "headersTruncated": False,
            "headers": [{"name": "From", "value": "Ada <ada@acme.example>"}],
            "commonHeaders": {"from": ["Ada <ada@acme.example>"], "messageId": "<m-1@acme.example>"},
        },
        "receipt": {
            "action": {"type": "SNS", "topicArn": TOPIC, "encoding": "BASE64"},
            "spfVerdict": {"status": "PASS"},
            "dkimVerdict": {"status": "PASS"},
            "dmarcVerdict": {"status": "PASS"},
        },
        "content": base64.b64encode(RAW.encode()).decode(),
    } | changes


def in_mailgun_form(secret: str, body: bytes) -> bytes:
    if not secret:
        return body
    timestamp, token = str(int(NOW.timestamp())), "9d1d5b3f2c"
    proof = {"timestamp": timestamp, "token": token, "signature": MailgunSignature([secret]).sign(timestamp, token)}
    return body + b"&" + urlencode(proof).encode()


MAILGUN_FIELDS = {
    "recipient": "help@ours.example",
    "sender": "ada@acme.example",
    "from": "Ada <ada@acme.example>",
    "subject": "Re: Your order",
    "body-plain": "It is broken\r\n\r\nOn Monday, Help wrote:\r\n> Here it is",
    "stripped-text": "It is broken",
    "message-headers": json.dumps(
        [
            ["Message-Id", "<m-2@acme.example>"],
            ["In-Reply-To", "<m-1@ours.example>"],
            ["Date", "Mon, 2 Mar 2026 09:29:50 +0000"],
            ["From", "Ada <ada@acme.example>"],
        ]
    ),
}

EC_KEYS = {name: ec.generate_private_key(ec.SECP256R1()) for name in ("last year", "this year", "somebody else")}


def sendgrid_public_key(name: str) -> str:
    public = EC_KEYS[name].public_key()
    return base64.b64encode(public.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)).decode()


def sign_sendgrid(name: str, body: bytes, at: datetime) -> dict[str, str]:
    timestamp = str(int(at.timestamp()))
    signature = EC_KEYS[name].sign(timestamp.encode() + body, ec.ECDSA(SHA256()))
    return {SIGNATURE: base64.b64encode(signature).decode(), TIMESTAMP: timestamp}


def multipart(fields: dict[str, str | bytes], boundary: str = "xYzZY") -> bytes:
    """A form as SendGrid posts it."""
    parts = [
        f'--{boundary}\r\nContent-Disposition: form-data; name="{name}"\r\n\r\n'.encode()
        + (value.encode() if isinstance(value, str) else value)
        + b"\r\n"
        for name, value in fields.items()
    ]
    return b"".join(parts) + f"--{boundary}--\r\n".encode()


SENDGRID_FIELDS: dict[str, str | bytes] = {
    "headers": "Message-ID: <m-3@acme.example>\nDate: Mon, 2 Mar 2026 09:29:50 +0000\nFrom: Ada <ada@acme.example>\n",
    "from": "Ada <ada@acme.example>",
    "to": "help@ours.example",
    "subject": "Broken",
    "text": "It is broken\n",
    "envelope": '{"to":["help@ours.example"],"from":"ada@acme.example"}',
    "charsets": '{"to":"UTF-8","subject":"UTF-8","from":"UTF-8","text":"iso-8859-1"}',
    "SPF": "pass",
    "dkim": "{@acme.example : pass}",
}


def postmark_mail(**changes: Any) -> dict[str, Any]:
    """A mail as Postmark posts it."""
    return {
        "FromName": "Ada",
        "From": "ada@acme.example",
        "FromFull": {"Email": "ada@acme.example", "Name": "Ada", "MailboxHash": ""},
        "To": "help+7@ours.example",
        "ToFull": [{"Email": "help+7@ours.example", "Name": "", "MailboxHash": "7"}],
        "CcFull": [],
        "Subject": "Broken",
        "MessageID": "73e6d360-66eb-11e1-8e72-a8904824019b",
        "MailboxHash": "7",
        "Date": "Mon, 2 Mar 2026 09:29:50 +0000",
        "TextBody": "It is broken",
        "HtmlBody": "",
        "StrippedTextReply": "",
        "Headers": [{"Name": "Message-ID", "Value": "<m-4@acme.example>"}],
        "Attachments": [{"Name": "a.png", "Content": "", "ContentType": "image/png", "ContentLength": 4096}],
    } | changes


def basic_auth(token: str, body: bytes, at: datetime) -> dict[str, str]:
    return {"authorization": "Basic " + base64.b64encode(f"careline:{token}".encode()).decode()}


MAIL_SENDERS = [
    Sender(
        connector="ses",
        payload=json.dumps(ses_notification()).encode(),
        sign=lambda secret, body, at: {},
        secrets=("last-year", "this-year", "somebody-else"),
        unknown=json.dumps(ses_notification(notificationType="teleported")).encode(),
        signed_headers=(),
        in_body=in_sns,
        covers="nothing",
        settings={"options": {"topics": TOPIC}},
        acquaint=know_certificates,
    ),
    Sender(
        connector="mailgun",
        payload=urlencode(MAILGUN_FIELDS).encode(),
        sign=lambda secret, body, at: {},
        secrets=("key-of-last-year", "key-of-this-year", "key-of-somebody-else"),
        extra={"content-type": "application/x-www-form-urlencoded"},
        unknown=b"event=teleported",
        signed_headers=(),
        in_body=in_mailgun_form,
        covers="nothing",
        json=False,
    ),
    Sender(
        connector="sendgrid",
        payload=multipart(SENDGRID_FIELDS),
        sign=sign_sendgrid,
        secrets=("last year", "this year", "somebody else"),
        public_half=sendgrid_public_key,
        extra={"content-type": "multipart/form-data; boundary=xYzZY"},
        unknown=b'[{"event": "teleported", "email": "ada@acme.example"}]',
        signed_headers=(TIMESTAMP, SIGNATURE),
        json=False,
    ),
    Sender(
        connector="postmark",
        payload=json.dumps(postmark_mail()).encode(),
        sign=basic_auth,
        secrets=("word of last year", "word of this year", "word of somebody else"),
        kept_as="tokens",
        covers="nothing",
        forged="bad_token",
        unknown=json.dumps(postmark_mail(RecordType="Teleported")).encode(),
        signed_headers=("authorization",),
    ),
]
