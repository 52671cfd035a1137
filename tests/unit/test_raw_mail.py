"""What raw messages become: who wrote them, in which conversation, when, and whether a machine did."""

from typing import Any

import pytest

from schemas.interaction import Attachment, Interaction
from streams.connectors.connector_contract import Draft, Headers, Instance, Reading, Refused, WebhookRequest
from streams.connectors.mail.email_messages import EMAIL_IMAP
from streams.connectors.mail.mail_fields import mail_date
from tests.senders.sender import NOW

OURS = frozenset({"ours.example"})


def read(raw: bytes | str, *, options: dict[str, str] | None = None, **instance: Any) -> Reading:
    body = raw if isinstance(raw, bytes) else raw.replace("\n", "\r\n").encode("utf-8", "surrogateescape")
    configured = Instance("mailbox", "email-imap", own_domains=OURS, options=options or {}, **instance)
    return EMAIL_IMAP.normaliser(configured).normalise(WebhookRequest("POST", Headers([]), body, NOW))


def draft(raw: bytes | str, **instance: Any) -> Draft:
    (made,) = read(raw, **instance)
    assert isinstance(made, Draft), made
    return made


def event(raw: bytes | str, **instance: Any) -> Interaction:
    made = draft(raw, **instance).event
    assert isinstance(made, Interaction)
    return made


def mail(
    text: str = "It is broken",
    sender: str = "Ada <Ada@Acme.example>",
    to: str = "help@ours.example",
    message_id: str | None = "<m-1@acme.example>",
    date: str = "Mon, 2 Mar 2026 09:00:00 +0100",
    **fields: str,
) -> str:
    named = {"From": sender, "To": to, "Subject": "Broken", "Date": date}
    named |= {"Message-ID": message_id} if message_id else {}
    named |= {name.replace("_", "-"): value for name, value in fields.items()}
    return "".join(f"{name}: {value}\n" for name, value in named.items()) + f"\n{text}\n"


def test_a_mail_of_a_customer() -> None:
    made = draft(mail())
    said = made.event
    assert isinstance(said, Interaction)
    assert (said.id, said.conversation_id, said.channel) == ("m-1@acme.example", "mailbox:m-1@acme.example", "email")
    assert (said.author.kind, said.author.id, said.direction) == ("customer", "ada@acme.example", "inbound")
    assert (said.inbox, said.text, said.automated) == ("help@ours.example", "It is broken", None)
    assert said.occurred_at.isoformat() == "2026-03-02T08:00:00+00:00"
    assert made.identities == ("domain:acme.example", "email:ada@acme.example")


def test_a_mail_of_ours_goes_to_the_customer() -> None:
    made = draft(
        mail("Try again", "Help <help@ours.example>", "Ada <ada@acme.example>", In_Reply_To="<m-1@acme.example>")
    )
    said = made.event
    assert isinstance(said, Interaction)
    assert (said.author.kind, said.direction, said.visibility) == ("agent", "outbound", "public")
    assert (said.conversation_id, said.inbox) == ("mailbox:m-1@acme.example", "help@ours.example")
    assert made.identities == ("domain:acme.example", "email:ada@acme.example")


def test_a_mail_among_ourselves_is_internal() -> None:
    said = event(mail(sender="a@ours.example", to="b@team.ours.example"))
    assert (said.author.kind, said.visibility, said.direction) == ("agent", "internal", None)


def test_a_conversation_is_the_root_of_its_thread() -> None:
    first = "mailbox:root@x.example"
    assert (
        event(mail(References="<root@x.example> <b@x.example>", In_Reply_To="<b@x.example>")).conversation_id == first
    )
    assert event(mail(In_Reply_To="<root@x.example>")).conversation_id == first
    assert event(mail(In_Reply_To="your mail of Monday")).conversation_id == "mailbox:m-1@acme.example"


def test_a_mail_without_an_id_belongs_to_its_token_else_to_its_subject_and_people() -> None:
    by_token = event(mail(message_id=None, to="help+7@ours.example"))
    assert by_token.conversation_id == "mailbox:help+7"
    question = event(mail(message_id=None))
    answer = mail("Thanks", "help@ours.example", "ada@acme.example", message_id=None).replace(
        "Subject: ", "Subject: RE: AW: "
    )
    assert event(answer).conversation_id == question.conversation_id
    assert event(answer).id != question.id == event(mail(message_id=None)).id


def test_a_repeated_message_id_is_none() -> None:
    said = event(mail().replace("Subject:", "Message-ID: <m-2@acme.example>\nSubject:"))
    assert said.id not in {"m-1@acme.example", "m-2@acme.example"}


@pytest.mark.parametrize(
    ("date", "received", "expected"),
    [
        ("Mon, 2 Mar 2026 09:00:00 +0100", "Mon, 2 Mar 2026 08:00:07 +0000", "2026-03-02T08:00:00"),
        ("Whenever", "Mon, 2 Mar 2026 08:00:07 +0000 (UTC)", "2026-03-02T08:00:07"),
        ("Thu, 1 Jan 1970 00:00:00 +0000", "Mon, 2 Mar 2026 08:00:07 +0000", "2026-03-02T08:00:07"),
        ("Mon, 2 Mar 2026 19:00:00 +0000", "Mon, 2 Mar 2026 08:00:07 +0000", "2026-03-02T08:00:07"),
        ("Sun, 1 Feb 2026 09:00:00 +0000", "Mon, 2 Mar 2026 08:00:07 +0000", "2026-03-02T08:00:07"),
        ("Fri, 27 Feb 2026 09:00:00 +0000", "Mon, 2 Mar 2026 08:00:07 +0000", "2026-02-27T09:00:00"),
        ("Whenever", "nobody knows", "2026-03-02T09:30:00"),
    ],
    ids=["sane", "no date", "1970", "ahead of now", "a month in transit", "three days in transit", "neither"],
)
def test_when_it_was_written(date: str, received: str, expected: str) -> None:
    head = f"Received: by mx.ours.example; {received}\nReceived: by far.example; Mon, 2 Mar 2015 08:00:00 +0000\n"
    assert event(head + mail(date=date)).occurred_at.isoformat() == expected + "+00:00"


@pytest.mark.parametrize(
    ("date", "expected"),
    [
        ("Wed, 20 Sep 1995 00:19:00 (EDT) -0400", "1995-09-20T04:19:00+00:00"),
        ("Fri, 1 Aug 2014 16:45:32 -04:00", "2014-08-01T20:45:32+00:00"),
        ("2014-08-01T16:45:32-04:00", "2014-08-01T20:45:32+00:00"),
        ("Mon, 7 Oct 91 12:13:55 EDT", "1991-10-07T16:13:55+00:00"),
        ("1 Aug 2014 04:45 PM", None),
        ("Pn, 29 paX 2007 21:13:00 +0100", None),
        ("", None),
    ],
)
def test_dates_as_mail_programs_write_them(date: str, expected: str | None) -> None:
    moment = mail_date(date)
    assert (moment and moment.isoformat()) == expected


@pytest.mark.parametrize(
    ("result", "vouched_for"),
    [
        ("mx.ours.example; dmarc=pass header.from=acme.example; spf=fail", True),
        ("mx.ours.example; dmarc=fail header.from=acme.example; spf=pass", False),
        ("mx.ours.example; spf=softfail smtp.mailfrom=x.example", False),
        ("mx.ours.example; spf=fail; dkim=pass header.d=acme.example", True),
        ("mx.ours.example; none", True),
        ("elsewhere.example; dmarc=fail", True),
    ],
)
def test_a_sender_that_our_server_found_forged_is_nobodys_proof(result: str, vouched_for: bool) -> None:
    raw = f"Authentication-Results: {result}\nAuthentication-Results: mx.evil.example; dmarc=fail\n" + mail()
    made = draft(raw, options={"authentication_server": "mx.ours.example"})
    proven = ("domain:acme.example", "email:ada@acme.example")
    assert made.identities == (proven if vouched_for else ("unverified_email:ada@acme.example",))


def test_a_forged_colleague_is_no_agent() -> None:
    forged = "Authentication-Results: mx.ours.example; dmarc=fail\n" + mail(sender="boss@ours.example")
    assert event(forged).author.kind == "customer"
    assert draft(forged).identities == ("unverified_email:boss@ours.example",)


def test_the_sender_behind_a_group_and_behind_a_form() -> None:
    group = draft(mail(sender="Ada via Help <help@ours.example>", X_Original_Sender="ada@acme.example"))
    assert isinstance(group.event, Interaction)
    assert (group.event.author.kind, group.event.author.id) == ("customer", "ada@acme.example")
    form = draft(mail(sender="www@ours.example", Reply_To="ada@acme.example"))
    assert isinstance(form.event, Interaction)
    assert (form.event.author.kind, form.identities) == ("customer", ("unverified_email:ada@acme.example",))
    claimed = event(mail(sender="eve@evil.example", X_Original_Sender="boss@ours.example"))
    assert (claimed.author.kind, claimed.author.id) == ("customer", "eve@evil.example")


@pytest.mark.parametrize(
    ("fields", "word"),
    [
        ({}, None),
        ({"Auto-Submitted": "no"}, None),
        ({"Auto-Submitted": "auto-replied (vacation)"}, "auto_reply"),
        ({"Auto-Submitted": "auto-generated"}, "auto_generated"),
        ({"Precedence": "auto_reply"}, "auto_reply"),
        ({"X-Autoreply": "yes"}, "auto_reply"),
        ({"Subject": "Automatic reply: Broken"}, "auto_reply"),
        ({"Subject": "=?utf-8?q?R=C3=A9ponse_automatique?= : Broken"}, "auto_reply"),
        ({"Subject": "Re: Automatic reply: Broken"}, None),
        ({"Subject": "Out of office printer: broken"}, None),
        ({"X-Auto-Response-Suppress": "DR, OOF, AutoReply"}, "auto_generated"),
        ({"X-Auto-Response-Suppress": "DR, RN"}, None),
        ({"Return-Path": "<>"}, "auto_reply"),
        ({"Return-Path": "<ada@acme.example>"}, None),
        ({"Precedence": "bulk", "List-Unsubscribe": "<https://acme.example/u>"}, "campaign"),
        (
            {"List-Unsubscribe": "<https://acme.example/u>", "List-Unsubscribe-Post": "List-Unsubscribe=One-Click"},
            "campaign",
        ),
        ({"Precedence": "list", "List-Id": "<users.acme.example>"}, "mailing_list"),
        ({"Precedence": "list", "List-Id": "Help <help.ours.example>", "List-Unsubscribe": "<mailto:x@y.z>"}, None),
        ({"From": "MAILER-DAEMON@acme.example"}, "bounce"),
        ({"From": "post_master@gateway.example", "Subject": "Re: x"}, "bounce"),
        ({"From": "Postmaster@acme.example", "Subject": "DELIVERY FAILURE: User bob not listed"}, "bounce"),
        ({"From": "postmaster@acme.example", "Subject": "Undeliverable: x"}, "bounce"),
        ({"From": "postmaster@acme.example", "Subject": "メッセージを配信できません。"}, "bounce"),
        ({"From": "postmaster@acme.example", "Subject": "Your server is on a list"}, None),
        ({"From": "ada@acme.example", "Subject": "Undeliverable: what I wrote to you"}, None),
        ({"From": "admin@acme.example", "Return-Path": "<MAILER-DAEMON>"}, "bounce"),
        ({"Return-Path": "<bounces+12-ada=acme.example@sender.example>"}, None),
        ({"From": "staff@hotmail.com", "Subject": " complaint about message from 192.0.2.9"}, "complaint"),
        ({"From": "No-Reply@acme.example"}, "auto_generated"),
        ({"From": "donotreply+7@acme.example"}, "auto_generated"),
        ({"From": "noreply@forms.example", "Reply-To": "ada@acme.example"}, None),
        ({"From": "noreplacement@acme.example"}, None),
        ({"X-Failed-Recipients": "bob@acme.example"}, "bounce"),
    ],
)
def test_what_a_machine_wrote(fields: dict[str, str], word: str | None) -> None:
    named = {"From": "ada@acme.example", "To": "help@ours.example", "Subject": "x"} | fields
    said = event("".join(f"{name}: {value}\n" for name, value in named.items()) + "\nI am away\n")
    assert said.automated == word
    assert said.author.kind == ("system" if word in {"bounce", "complaint"} else "customer")


REPORT = """From: Mail Delivery System <postmaster@mx.example>
To: help@ours.example
Subject: Undelivered
Message-ID: <b-1@mx.example>
Content-Type: multipart/report; report-type={kind}; boundary=b

--b

It did not arrive.
--b
Content-Type: message/{kind}

Reporting-MTA: dns; mx.example

Final-Recipient: rfc822; bob@acme.example
Original-Message-ID: <answer@ours.example>
Action: {action}
--b
Content-Type: message/rfc822

From: help@ours.example
To: bob@acme.example
References: <question@acme.example> <other@ours.example>
Message-ID: <answer@ours.example>
Subject: Re: Broken

Try again
--b--
"""


@pytest.mark.parametrize(
    ("kind", "action", "word", "author"),
    [
        ("delivery-status", "failed", "bounce", "system"),
        ("delivery-status", "delayed", "delivery_notice", "system"),
        ("feedback-report", "", "complaint", "system"),
        ("disposition-notification", "", "receipt", "customer"),
    ],
)
def test_a_report_belongs_to_the_conversation_that_it_is_about(kind: str, action: str, word: str, author: str) -> None:
    made = draft(REPORT.format(kind=kind, action=action))
    said = made.event
    assert isinstance(said, Interaction)
    assert (said.automated, said.author.kind, said.text) == (word, author, "It did not arrive.")
    assert said.conversation_id == "mailbox:question@acme.example"
    assert said.attachments == (Attachment(name="Re: Broken", media_type="message/rfc822", size_bytes=172),)
    assert made.identities[0] == ("domain:acme.example" if author == "system" else "domain:mx.example")


def test_what_is_written_in_html_alone() -> None:
    html = "<p>Hello,<br>it is <b>broken</b></p><blockquote>old</blockquote><script>x()</script>"
    assert event(mail(html, Content_Type="text/html; charset=utf-8")).text == "Hello,\nit is broken"


def test_a_mail_without_text_says_its_subject() -> None:
    assert event(mail("")).text == "Broken"


@pytest.mark.parametrize("name", ["message.msg", "text", "json", "nothing"])
def test_what_is_no_mail_is_refused_with_a_reason(name: str) -> None:
    bodies = {
        "message.msg": b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + bytes(100),
        "text": b"Hello\n",
        "json": b"{}",
        "nothing": b"",
    }
    (refused,) = read(bodies[name])
    assert isinstance(refused, Refused)
    assert refused.reason == ("not_understood" if name == "message.msg" else "malformed_payload")
    assert ".msg" in refused.detail if name == "message.msg" else "no mail" in refused.detail


def test_old_and_broken_writings_of_a_header_are_understood() -> None:
    """RFC 5322, A.6.3: blanks and comments between the parts of a date, an address and an id; a folded id."""
    said = event(
        mail(
            sender="Ada <ada@acme(comment).  example>",
            date="Mon, 2 Mar 2026 09(comment):   00  :  00 +0100",
            message_id="<1234   @   local(blah)  .acme .example>",
            References="<a-very-long-\n id@acme.example> <b@acme.example>",
        )
    )
    assert (said.author.id, said.id) == ("ada@acme.example", "1234@local.acme.example")
    assert said.conversation_id == "mailbox:a-very-long-id@acme.example"
    assert said.occurred_at.isoformat() == "2026-03-02T08:00:00+00:00"


def test_the_same_message_id_twice_is_one() -> None:
    said = event(mail().replace("Subject:", "Message-ID: <m-1@acme.example>\nSubject:"))
    assert said.id == "m-1@acme.example"


def test_mails_without_an_id_are_told_apart_by_what_is_attached() -> None:
    header = "From: ada@acme.example\nContent-Type: application/pdf; name="
    ids = {event(f"{header}{name}\n\nx").id for name in ("bill.pdf", "order.pdf", "bill.pdf")}
    assert len(ids) == 2


def test_of_several_dates_the_first_that_is_one_counts() -> None:
    said = event("Date: Tue, 7 Apr\n" + mail())
    assert said.occurred_at.isoformat() == "2026-03-02T08:00:00+00:00"


def test_a_mail_whose_header_says_only_what_it_contains_has_a_conversation() -> None:
    said = event("Content-Type: text/html\n\n<p>It is broken")
    assert (said.author.kind, said.author.id, said.text) == ("customer", None, "It is broken")
    assert said.conversation_id == f"mailbox:{said.id}"


@pytest.mark.parametrize("announced", ['multipart/mixed; boundary="another"', "multipart/mixed"])
def test_parts_are_found_under_another_boundary_than_was_announced(announced: str) -> None:
    body = "--b\nContent-Type: text/plain\n\nIt is broken\n\n--b\nContent-Type: image/png; name=x.png\n\nx\n--b--"
    said = event(mail(body, Content_Type=announced))
    assert (said.text, [attached.name for attached in said.attachments]) == ("It is broken", ["x.png"])


def test_a_boundary_may_be_folded() -> None:
    body = "--foo bar\nContent-Type: text/plain\n\nIt is broken\n--foo bar--"
    assert event(mail(body, Content_Type='multipart/mixed; boundary="foo\n bar"')).text == "It is broken"


def test_a_bounce_belongs_to_the_thread_of_the_mail_that_it_quotes() -> None:
    quoted = (
        "To: ada@acme.example\nReferences: <root@acme.example>\nMessage-ID: <m-9@ours.example>\nSubject: Re: Broken"
    )
    for header in (quoted, "\n".join(f"> {line}" for line in quoted.split("\n"))):
        above = "Hi. This is the qmail-send program.\n\n--- Below this line is a copy of the message."
        made = draft(
            mail(f"{above}\n\n{header}\n\nTry again", sender="MAILER-DAEMON@mx.ours.example", Return_Path="<>")
        )
        said = made.event
        assert isinstance(said, Interaction)
        assert (said.author.kind, said.automated) == ("system", "bounce")
        assert said.conversation_id == "mailbox:root@acme.example"
        assert made.identities == ("domain:acme.example", "email:ada@acme.example")


def test_a_mail_that_was_passed_on_without_a_word_keeps_its_text() -> None:
    said = event(mail("---------- Forwarded message ----------\nFrom: Bob <bob@b.example>\nTo: x@y.example\n\nHelp me"))
    assert said.text is not None
    assert said.text.endswith("Help me")


@pytest.mark.parametrize(
    ("written", "read"),
    [
        (b"Gr\xfc\xdfe aus K\xf6ln", "Grüße aus Köln"),
        ("Grüße".encode() + b"\xff", "Grüße\ufffd"),
    ],
)
def test_text_that_is_no_utf8_although_it_says_so(written: bytes, read: str) -> None:
    head = b"From: ada@acme.example\r\nSubject: x\r\nContent-Type: text/plain; charset=utf-8\r\n\r\n"
    assert event(head + written).text == read
