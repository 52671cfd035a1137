"""Outreach (id `outreach`): which contacts the sales and success teams have had, from its webhooks.

Nearly everything that Outreach tells is its own bookkeeping. What concerns a customer are calls and mails that were
really sent: each is a conversation of its own. Answers to mails arrive in a mailbox, which a mail connector reads, so
they are left to it: told here as well they would count twice, and their answers would never be seen.

Source: Outreach API documentation, "Webhooks" (HMAC-SHA256 of the body in hex; changes carry only what has changed) and
the resources `call` and `mailing`; captured payloads in hull/hull-connectors `hull-outreach`.
"""

from collections.abc import Iterator
from functools import partial

from schemas.interaction import Author
from streams.connectors.connector_contract import (
    ConnectorKind,
    Draft,
    Ignored,
    Instance,
    Reading,
    Refused,
    WebhookRequest,
)
from streams.connectors.drafting import Drafter
from streams.connectors.hmac_signatures import HmacScheme, HmacVerifier
from streams.connectors.payload_reading import (
    Json,
    id_text,
    instant,
    items,
    read_each,
    read_json,
    read_one,
    required,
    table,
    text,
    word,
)

SIGNATURE = HmacScheme(header="outreach-webhook-signature")

_OTHER_SUBJECTS = (
    "account audit batch calldisposition callpurpose compliancerequest contentcategory contentcategorymembership "
    "contentcategoryownership duty emailaddress event favorite importfile kaiarecording mailalias mailbox opportunity "
    "opportunityprospectrole opportunitystage persona phonenumber profile prospect recipient role ruleset sequence "
    "sequencestate sequencestep sequencetemplate snippet stage taskpriority team template user webhook"
)
OTHER_SUBJECTS = frozenset(_OTHER_SUBJECTS.split())
"""Resources that are records and settings: they change no conversation and nobody's opinion."""

SENT = frozenset({"clicked", "delivered", "opened"})
"""States of a mailing that has reached somebody; it is told once, whichever of them is heard of first."""


class OutreachEvents:
    """Reads webhooks, and single resources or pages of the API."""

    def __init__(self, instance: Instance) -> None:
        self._instance = instance

    def normalise(self, request: WebhookRequest) -> Reading:
        """What happened to one resource."""
        payload = read_json(request.body)
        if isinstance(payload, Refused):
            return [payload]
        drafter = Drafter(self._instance, request, "email")
        read = partial(_read, event=word(payload, "meta", "eventName"), drafter=drafter)
        listed = items(payload, "data")
        if listed:
            return read_each(listed, read)
        return read_one(table(payload, "data"), read)


def _read(resource: Json, event: str | None, drafter: Drafter) -> Iterator[Draft | Ignored | Refused]:
    kind = required(word(resource, "type"), "$.data.type")
    if kind == "call":
        yield from _call(resource, drafter)
    elif kind == "mailing":
        yield _mailing(resource, event, drafter)
    elif kind == "task":
        yield Ignored("told_elsewhere")
    elif kind in OTHER_SUBJECTS:
        yield Ignored("other_subject")
    else:
        yield Refused("not_understood", f"the resource type {kind[:80]!r} is not known")


def _call(call: Json, drafter: Drafter) -> Iterator[Draft | Ignored]:
    """A call as a whole, once it is told which way it went: began, was answered, ended."""
    call_id, about = required(id_text(call, "id"), "$.data.id"), table(call, "attributes")
    direction = word(about, "direction")
    if direction not in {"inbound", "outbound"}:
        yield Ignored("needs_fetch")
        return
    customer, agent = Author("customer", _related(call, "prospect")), Author("agent", _related(call, "user"))
    began = instant(about, "dialedAt") or instant(about, "createdAt")
    answered, ended = instant(about, "answeredAt"), instant(about, "completedAt")
    steps = (
        ("call_started", began, customer if direction == "inbound" else agent),
        ("call_answered", answered, agent if direction == "inbound" else customer),
        ("call_ended", ended, agent),
    )
    told = [step for step in steps if step[1] is not None]
    for kind, at, author in told:
        yield drafter.interaction(
            f"call:{call_id}:{kind}",
            kind,  # type: ignore[arg-type]  # one of three words
            f"call:{call_id}",
            at,
            author,
            identities=_identities(call),
            channel="phone",
            direction=direction,
            raw_reference=f"outreach:call:{call_id}",
        )
    if not told:
        yield Ignored("needs_fetch")


def _mailing(mailing: Json, event: str | None, drafter: Drafter) -> Draft | Ignored:
    """A mail that was delivered to a customer who is named; a sequence sends it by itself."""
    mailing_id, about = required(id_text(mailing, "id"), "$.data.id"), table(mailing, "attributes")
    state = word(about, "state") or (event or "").rpartition(".")[2]
    if state in {"replied", "bounced"} or event in {"mailing.replied", "mailing.bounced"}:
        return Ignored("told_elsewhere")
    if state not in SENT:
        return Ignored("not_sent")
    people, delivered = _identities(mailing), instant(about, "deliveredAt")
    if not people or delivered is None:
        return Ignored("needs_fetch")
    by_sequence = _related(mailing, "sequence") is not None or word(about, "mailingType") in {"sequence", "campaign"}
    return drafter.interaction(
        f"mailing:{mailing_id}",
        "message",
        f"mailing:{mailing_id}",
        delivered,
        Author("agent", _related(mailing, "user")),
        identities=people,
        automated="campaign" if by_sequence else None,
        text=text(about, "bodyText") or text(about, "subject"),
        raw_reference=f"outreach:mailing:{mailing_id}",
    )


def _related(resource: Json, name: str) -> str | None:
    """The id of a related resource: within `data` in the API, without it in webhooks."""
    related = table(resource, "relationships", name)
    return id_text(related, "data", "id") or id_text(related, "id")


def _identities(resource: Json) -> tuple[str, ...]:
    account, prospect = _related(resource, "account"), _related(resource, "prospect")
    return (
        *([f"outreach_account:{account}"] if account else []),
        *([f"outreach_prospect:{prospect}"] if prospect else []),
    )


OUTREACH = ConnectorKind(
    id="outreach",
    title="Outreach: calls and mails of sales and success teams",
    normaliser=OutreachEvents,
    verifier=lambda instance: HmacVerifier(SIGNATURE, instance.secrets),
    setup=(
        "POST /api/v2/webhooks with resource call (and mailing), action *, payloadVersion 2, a secret, and the url\n"
        "https://<your host>/in/outreach. Mails that customers send belong to a mail connector."
    ),
)
