"""What SES, Mailgun, SendGrid and Postmark send, how they prove themselves, and what becomes of broken payloads."""

import asyncio
import copy
import json
from collections.abc import Collection, Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import pytest

from schemas.interaction import Interaction
from streams.connectors.connector_contract import (
    Draft,
    Headers,
    Ignored,
    Instance,
    Reading,
    Refused,
    Verdict,
    WebhookRequest,
)
from streams.connectors.connector_registry import BUILT_IN
from streams.connectors.listed_fetch import NotFetched
from streams.connectors.mail.mailgun_route import MailgunSignature
from streams.connectors.mail.sendgrid_parse import signature_or_password
from streams.connectors.mail.sns_signature import SnsSignature, greet_sns
from streams.connectors.shared_secrets import SharedSecret
from tests.senders.mail_senders import (
    MAIL_SENDERS,
    MAILGUN_FIELDS,
    RAW,
    SENDGRID_FIELDS,
    TOPIC,
    basic_auth,
    certificate,
    certificate_url,
    in_mailgun_form,
    multipart,
    postmark_mail,
    ses_notification,
    sns_message,
)
from tests.senders.sender import NOW
from tests.unit.test_hostile_mail import assert_usable

KINDS = {kind.id: kind for kind in BUILT_IN}
CONFIRM = "https://sns.eu-central-1.amazonaws.com/?Action=ConfirmSubscription&Token=2336"


def asked(body: Any, headers: dict[str, str] | None = None) -> WebhookRequest:
    sent = body if isinstance(body, bytes) else json.dumps(body).encode()
    return WebhookRequest("POST", Headers((headers or {}).items()), sent, NOW)


def read(connector: str, body: Any, headers: dict[str, str] | None = None) -> Reading:
    instance = Instance(connector, connector, own_domains=frozenset({"ours.example"}))
    return KINDS[connector].normaliser(instance).normalise(asked(body, headers))


def only(connector: str, body: Any, headers: dict[str, str] | None = None) -> tuple[Interaction, tuple[str, ...]]:
    (made,) = read(connector, body, headers)
    assert isinstance(made, Draft), made
    assert isinstance(made.event, Interaction)
    return made.event, made.identities


# SES


def test_a_mail_through_sns_has_its_text() -> None:
    said, identities = only("ses", sns_message("this-year", Message=json.dumps(ses_notification())))
    assert (said.id, said.text, said.author.id) == ("m-1@acme.example", "It is broken", "ada@acme.example")
    assert (said.conversation_id, said.occurred_at.isoformat()) == ("ses:m-1@acme.example", "2026-03-02T09:29:50+00:00")
    assert identities[0] == "domain:acme.example"


@pytest.mark.parametrize("wrap", ["plain", "records", "sns records"])
def test_a_mail_without_content_says_its_subject(wrap: str) -> None:
    bare = ses_notification()
    del bare["content"]
    bare["mail"]["commonHeaders"]["subject"] = "It is broken"
    inside = {"plain": bare, "records": {"Records": [{"eventSource": "aws:ses", "ses": bare}]}}
    inside["sns records"] = {"Records": [{"EventSource": "aws:sns", "Sns": {"Message": json.dumps(bare)}}]}
    assert only("ses", inside[wrap])[0].text == "It is broken"


@pytest.mark.parametrize(
    ("verdicts", "hint"),
    [
        ({"dmarcVerdict": "FAIL", "spfVerdict": "PASS"}, "unverified_email:ada@acme.example"),
        ({"dmarcVerdict": "GRAY", "spfVerdict": "FAIL", "dkimVerdict": "FAIL"}, "unverified_email:ada@acme.example"),
        ({"dmarcVerdict": "GRAY", "spfVerdict": "FAIL", "dkimVerdict": "PASS"}, "domain:acme.example"),
    ],
)
def test_the_verdicts_of_ses_count(verdicts: dict[str, str], hint: str) -> None:
    receipt = {name: {"status": status} for name, status in verdicts.items()}
    content = {"receipt": receipt | {"action": {"type": "SNS"}}, "content": RAW}
    assert only("ses", ses_notification(**content))[1][0] == hint


@pytest.mark.parametrize(
    ("body", "reason"),
    [
        (ses_notification(notificationType="Bounce"), "receipt"),
        ({"notificationType": "AmazonSnsSubscriptionSucceeded"}, "connection"),
        ({"Type": "SubscriptionConfirmation", "Message": "You have chosen"}, "connection"),
        ({"Type": "Notification", "Message": "Hello from SNS!"}, "other_subject"),
    ],
)
def test_what_ses_says_that_is_no_mail(body: dict[str, Any], reason: str) -> None:
    assert read("ses", body) == [Ignored(reason)]


def test_the_published_events_of_ses(shared: Path) -> None:
    folder = shared / "payloads" / "email"
    if not folder.is_dir():
        pytest.skip("needs the published payloads in ../shared/payloads")
    by_lambda, _ = only("ses", (folder / "aws_ses-lambda-event.json").read_bytes())
    assert (by_lambda.author.id, by_lambda.occurred_at.isoformat()) == ("aws@amazon.com", "2016-12-06T02:40:08+00:00")
    by_sns, _ = only("ses", (folder / "aws_ses-sns-event.json").read_bytes())
    assert (by_sns.author.id, by_sns.occurred_at.isoformat()) == ("sender@example.com", "2015-09-11T20:32:32+00:00")
    assert by_sns.conversation_id == "ses:61967230-7A45-4A9D-BEC9-87CBCF2211C9@example.com"
    assert read("ses", (folder / "aws_sns-event.json").read_bytes()) == [Ignored("other_subject")]


class Sns:
    """SNS as it is fetched from: its certificates, and what else was asked for."""

    def __init__(self) -> None:
        self.asked: list[str] = []
        self.absent = False

    async def fetch(self, url: str, hosts: Collection[str]) -> bytes:
        self.asked.append(url)
        assert hosts == {"sns.eu-central-1.amazonaws.com"}
        if self.absent:
            raise NotFetched("absent by the test")
        return certificate("this-year") if url.endswith(".pem") else b"<ConfirmSubscriptionResponse/>"


def judged(message: Any, sns: Sns) -> tuple[Verdict, WebhookRequest]:
    verifier = SnsSignature(Instance("ses", "ses", options={"topics": f"arn:other {TOPIC}"}), sns.fetch)
    request = asked(message)
    asyncio.run(verifier.fetch_keys(request))
    asyncio.run(verifier.fetch_keys(request))
    return verifier.verify(request), request


@pytest.mark.parametrize("version", ["1", "2"])
def test_both_versions_of_the_signature(version: str) -> None:
    sns = Sns()
    message = sns_message("this-year", version=version, Message="{}", Subject="x")
    assert judged(message, sns)[0].genuine
    assert sns.asked == [certificate_url("this-year")]
    in_lines = "\n".join((message["Signature"][:60], message["Signature"][60:], ""))
    assert judged(message | {"Signature": in_lines}, sns)[0].genuine
    for field, value in {"Message": "{ }", "Subject": "y", "MessageId": "2", "SignatureVersion": "3"}.items():
        assert judged(message | {field: value}, Sns())[0].refusal == "bad_signature"


def test_another_topic_and_another_host_are_not_even_asked_about() -> None:
    for changes in (
        {"TopicArn": "arn:aws:sns:eu-central-1:666:mine"},
        {"SigningCertURL": "https://sns.eu-central-1.amazonaws.com.evil.example/a.pem"},
        {"SigningCertURL": "http://sns.eu-central-1.amazonaws.com/a.pem"},
        {"SigningCertURL": "https://sns.eu-central-1.amazonaws.com:8443/a.pem"},
        {"SigningCertURL": "https://x@sns.eu-central-1.amazonaws.com/a.pem"},
        {"SigningCertURL": "https://s3.eu-central-1.amazonaws.com/a.pem"},
        {"SigningCertURL": "https://sns.eu-central-1.amazonaws.com/?Action=Publish"},
        {"SigningCertURL": "https://[broken"},
    ):
        sns = Sns()
        assert judged(sns_message("this-year", Message="{}", **changes), sns)[0].refusal == "bad_signature"
        assert sns.asked == []


def test_while_the_certificate_cannot_be_had_nothing_is_decided() -> None:
    sns = Sns()
    sns.absent = True
    assert judged(sns_message("this-year", Message="{}"), sns)[0].undecided


def test_a_subscription_is_confirmed_once_it_has_proven_genuine() -> None:
    sns = Sns()
    message = sns_message("this-year", Type="SubscriptionConfirmation", Message="m", Token="2336", SubscribeURL=CONFIRM)
    verdict, request = judged(message, sns)
    assert verdict.genuine
    assert CONFIRM in sns.asked
    assert greet_sns(Instance("ses", "ses"), request, verdict) is not None
    forged, elsewhere = Sns(), Sns()
    judged(message | {"Token": "1"}, forged)
    away = {"Type": "SubscriptionConfirmation", "Message": "m", "Token": "1", "SubscribeURL": "https://evil.example/"}
    judged(sns_message("this-year", **away), elsewhere)
    assert forged.asked == elsewhere.asked == [certificate_url("this-year")]
    assert greet_sns(Instance("ses", "ses"), request, Verdict("bad_signature")) is None


# Mailgun


def test_a_mail_of_mailgun() -> None:
    said, identities = only("mailgun", urlencode(MAILGUN_FIELDS).encode())
    assert (said.id, said.conversation_id) == ("m-2@acme.example", "mailgun:m-1@ours.example")
    assert (said.text, said.author.id, said.inbox) == ("It is broken", "ada@acme.example", "help@ours.example")
    assert identities[0] == "domain:acme.example"


def test_the_same_in_every_form_that_mailgun_has() -> None:
    fields: dict[str, str | bytes] = dict(MAILGUN_FIELDS)
    once = only("mailgun", urlencode(MAILGUN_FIELDS).encode())
    assert only("mailgun", multipart(fields)) == once
    assert only("mailgun", multipart(fields), {"content-type": "multipart/form-data; boundary=xYzZY"}) == once
    assert only("mailgun", MAILGUN_FIELDS) == once
    raw, _ = only("mailgun", multipart({"body-mime": RAW, "recipient": "help@ours.example"}))
    assert (raw.id, raw.text) == ("m-1@acme.example", "It is broken")


def test_attachments_of_a_form_are_measured() -> None:
    head = 'Content-Disposition: form-data; name="attachment-1"; filename="a.png"\r\nContent-Type: image/png\r\n\r\n'
    file = f"--xYzZY\r\n{head}1234\r\n".encode()
    said, _ = only("mailgun", file + multipart(dict(MAILGUN_FIELDS)))
    (attached,) = said.attachments
    assert (attached.name, attached.media_type, attached.size_bytes) == ("a.png", "image/png", 4)
    stored = MAILGUN_FIELDS | {
        "attachments": json.dumps([{"name": "b.pdf", "content-type": "application/pdf", "size": 9}])
    }
    (listed,) = only("mailgun", urlencode(stored).encode())[0].attachments
    assert (listed.name, listed.size_bytes) == ("b.pdf", 9)


def test_mailgun_signs_its_time_and_a_token() -> None:
    verifier = MailgunSignature(["key"])
    now = int(NOW.timestamp())
    for seconds, refusal in ((0, None), (-299, None), (-301, "timestamp_too_old"), (301, "timestamp_too_new")):
        stamp = str(now + seconds)
        proof = {"timestamp": stamp, "token": "t", "signature": verifier.sign(stamp, "t")}
        assert verifier.verify(asked(urlencode(proof).encode())).refusal == refusal
        assert verifier.verify(asked({"signature": proof, "event-data": {}})).refusal == refusal
        assert verifier.verify(asked(urlencode(proof | {"token": "u"}).encode())).refusal == "bad_signature"
    assert verifier.verify(asked(b"token=t&signature=s")).refusal == "missing_timestamp"
    assert verifier.verify(asked(b"\xff{")).refusal == "missing_signature"
    with pytest.raises(ValueError, match="missing"):
        MailgunSignature([])


# SendGrid


def test_a_mail_of_sendgrid() -> None:
    said, identities = only("sendgrid", multipart(SENDGRID_FIELDS))
    assert (said.id, said.text, said.author.id) == ("m-3@acme.example", "It is broken", "ada@acme.example")
    assert (said.occurred_at.isoformat(), identities[0]) == ("2026-03-02T09:29:50+00:00", "domain:acme.example")
    raw, _ = only("sendgrid", multipart({"email": RAW, "to": "help@ours.example", "SPF": "pass"}))
    assert (raw.id, raw.text) == ("m-1@acme.example", "It is broken")


def test_fields_of_sendgrid_have_charsets_of_their_own() -> None:
    said, _ = only("sendgrid", multipart(SENDGRID_FIELDS | {"text": "Grüße".encode("iso-8859-1")}))
    assert said.text == "Grüße"


def test_what_sendgrid_found_forged_proves_nothing() -> None:
    forged = SENDGRID_FIELDS | {"SPF": "fail", "dkim": "none"}
    assert only("sendgrid", multipart(forged))[1] == ("unverified_email:ada@acme.example",)
    assert only("sendgrid", multipart(forged | {"dkim": "{@acme.example : pass}"}))[1][0] == "domain:acme.example"


def test_sendgrid_proves_itself_by_a_key_or_a_password() -> None:
    with pytest.raises(ValueError, match="no public key"):
        signature_or_password(Instance("sendgrid", "sendgrid", secrets=("c2VjcmV0",)))
    with pytest.raises(ValueError, match="missing"):
        signature_or_password(Instance("sendgrid", "sendgrid"))
    by_password = signature_or_password(Instance("sendgrid", "sendgrid", tokens=("word",)))
    assert by_password.verify(asked(b"x", basic_auth("word", b"x", NOW))).genuine
    assert by_password.verify(asked(b"x", basic_auth("another", b"x", NOW))).refusal == "bad_token"


# Postmark


def test_a_mail_of_postmark() -> None:
    said, identities = only("postmark", postmark_mail())
    assert (said.id, said.text, said.author.id) == ("m-4@acme.example", "It is broken", "ada@acme.example")
    assert (said.inbox, said.attachments[0].size_bytes) == ("help+7@ours.example", 4096)
    assert identities[0] == "domain:acme.example"
    without_id, _ = only("postmark", postmark_mail(Headers=[], StrippedTextReply="Only this"))
    assert (without_id.id, without_id.conversation_id) == ("73e6d360-66eb-11e1-8e72-a8904824019b", "postmark:help+7")
    assert without_id.text == "Only this"


@pytest.mark.parametrize(
    ("token", "sent", "genuine"),
    [
        ("word", basic_auth("word", b"", NOW), True),
        ("careline:word", basic_auth("word", b"", NOW), True),
        ("other:word", basic_auth("word", b"", NOW), False),
        ("word", {"authorization": "Bearer word"}, True),
        ("word", {"authorization": "Digest word"}, False),
        ("word", {"authorization": "Basic %%%"}, False),
    ],
)
def test_a_password_with_or_without_its_user(token: str, sent: dict[str, str], genuine: bool) -> None:
    assert SharedSecret([token]).verify(asked(b"", sent)).genuine == genuine


# All of them


@pytest.mark.parametrize(
    ("connector", "body"),
    [
        ("mailgun", b"event=delivered&recipient=a%40b.c"),
        ("mailgun", {"signature": {}, "event-data": {"event": "failed"}}),
        ("sendgrid", [{"event": "bounce"}]),
        ("sendgrid", {"event": "delivered", "email": "a@b.c", "sg_event_id": "1"}),
        ("postmark", {"RecordType": "Bounce", "Email": "a@b.c"}),
    ],
)
def test_news_about_mails_that_we_sent_mean_nothing_here(connector: str, body: Any) -> None:
    assert read(connector, body) == [Ignored("receipt")]


def mutilations(payload: Any) -> Iterator[Any]:
    """The payload with each of its values gone, or of another kind."""

    def places(value: Any, path: tuple[Any, ...]) -> Iterator[tuple[Any, ...]]:
        for key in value if isinstance(value, dict) else range(len(value)) if isinstance(value, list) else ():
            yield (*path, key)
            yield from places(value[key], (*path, key))

    for path in places(payload, ()):
        for other in (
            None,
            7,
            True,
            "",
            "x",
            [],
            [None],
            {},
            {"x": None},
            "\x00\ud800".encode("utf-8", "replace").decode(),
        ):
            changed = copy.deepcopy(payload)
            inside = changed
            for key in path[:-1]:
                inside = inside[key]
            inside[path[-1]] = other
            yield changed


@pytest.mark.parametrize(
    ("connector", "payload"),
    [
        ("ses", ses_notification()),
        (
            "ses",
            {"Records": [{"ses": {name: value for name, value in ses_notification().items() if name != "content"}}]},
        ),
        ("ses", sns_message("this-year", Message=json.dumps(ses_notification()))),
        ("mailgun", MAILGUN_FIELDS),
        ("postmark", postmark_mail()),
    ],
    ids=["ses", "ses in lambda", "ses in sns", "mailgun", "postmark"],
)
def test_mutilated_payloads(connector: str, payload: dict[str, Any]) -> None:
    for changed in mutilations(payload):
        assert_usable(read(connector, changed))


@pytest.mark.parametrize("connector", ["ses", "mailgun", "sendgrid", "postmark"])
def test_payloads_cut_off_anywhere(connector: str) -> None:
    sender = next(each for each in MAIL_SENDERS if each.connector == connector)
    for end in range(0, len(sender.payload), 7):
        assert_usable(read(connector, sender.payload[:end], sender.extra))
    for body in (
        b"",
        b"[" * 30_000,
        b'{"a":' * 30_000,
        b"7",
        b"null",
        b"[null]",
        b"\xff\xfe",
        b"--\r\n",
        b"&" * 5_000,
        b"=&=&",
    ):
        assert_usable(read(connector, body))
        assert all(isinstance(item, Ignored | Refused) for item in read(connector, body))


def test_the_proof_in_a_form_is_no_part_of_the_mail() -> None:
    body = urlencode(MAILGUN_FIELDS).encode()
    assert only("mailgun", in_mailgun_form("key", body)) == only("mailgun", body)
