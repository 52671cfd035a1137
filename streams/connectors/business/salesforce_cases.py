"""Salesforce's cases as conversations: the case itself, its e-mails and its comments.

A case is the conversation; whoever opened it is the customer. Orgs name their statuses as they like, so a status is
read by its words. `salesforce_changes` asks here for the records of service.

Source: Salesforce "Object Reference" (Case, CaseComment, EmailMessage).
"""

from collections.abc import Callable, Iterator
from typing import Any

from schemas.interaction import Author, Status
from streams.connectors.accounts_directory import identities_of_address
from streams.connectors.business.salesforce_record import SalesforceRecord
from streams.connectors.connector_contract import Draft, Ignored
from streams.connectors.drafting import Drafter
from streams.connectors.message_content import html_text
from streams.connectors.payload_reading import flag, instant

USER = "005"
"""How the ids of users begin; those of queues begin with 00G."""
CASE = "500"
"""How the ids of cases begin."""

DRAFTS = frozenset({"5", "Draft"})
"""Statuses of a mail that nobody has sent yet."""

CHANNELS = {
    "email": "email",
    "email2case": "email",
    "phone": "phone",
    "web": "form",
    "chat": "chat",
    "live chat": "chat",
    "messaging": "chat",
    "community": "form",
    "sms": "sms",
    "whatsapp": "whatsapp",
    "facebook": "social",
    "twitter": "social",
    "instagram": "social",
}
"""Channels by the case's origin."""

STATUS_WORDS: tuple[tuple[Status, tuple[str, ...]], ...] = (
    ("open", ("reopen", "re-open", "unresolved", "not resolved")),
    ("closed", ("clos", "complete", "cancel", "merged", "duplicate")),
    ("resolved", ("resolv", "solved", "solution provided", "fixed", "done")),
    (
        "waiting_on_third_party",
        ("third party", "third-party", "vendor", "partner", "supplier", "development", "engineering"),
    ),
    ("waiting_on_customer", ("customer", "client", "requester", "awaiting re", "waiting for re", "pending", "waiting")),
    ("on_hold", ("hold",)),
    ("new", ("new",)),
)
"""What parts of a status tell, the first that fits; anything else (`Working`, `Escalated`) is open."""


def status_of(word: str) -> Status:
    """A case's status in our words."""
    said = word.lower()
    return next((status for status, parts in STATUS_WORDS if any(part in said for part in parts)), "open")


def case_changed(case: SalesforceRecord, drafter: Drafter) -> Iterator[Draft | Ignored]:
    """A case that was opened, changed, deleted or brought back."""
    if case.change == "DELETE":
        yield _about(case, "deleted", "status_changed", drafter, status="deleted", source_status="deleted")
        return
    if case.change == "UNDELETE":
        yield _about(case, "undeleted", "status_changed", drafter, status="open", source_status="undeleted")
        return
    status = case.text("Status")
    if case.is_new:
        yield _opened(case, drafter)
        if status is not None and status_of(status) not in {"new", "open"}:
            yield _about(case, "status", "status_changed", drafter, status=status_of(status), source_status=status)
        return
    found: list[Draft | Ignored] = []
    changed = case.changed
    if "Status" in changed and status is not None:
        found.append(_about(case, "status", "status_changed", drafter, status=status_of(status), source_status=status))
    if "Priority" in changed and case.text("Priority") is not None:
        found.append(_about(case, "priority", "priority_changed", drafter))
    if "OwnerId" in changed and case.id_of("OwnerId") is not None:
        found.append(_about(case, "owner", "assigned", drafter))
    if "AccountId" in changed and case.id_of("AccountId") is not None:
        found.append(_about(case, "account", "account_changed", drafter))
    yield from found or [Ignored("without_effect")]


def email_changed(email: SalesforceRecord, drafter: Drafter) -> Iterator[Draft | Ignored]:
    """A mail of a case: who wrote it is Salesforce's own word."""
    case = email.id_of("ParentId") or email.id_of("RelatedToId")
    if not email.is_new:
        yield Ignored("without_effect")
        return
    if case is None or not case.startswith(CASE):
        yield Ignored("conversation_not_said")
        return
    if email.text("Status") in DRAFTS:
        yield Ignored("not_sent")
        return
    sender = (email.text("FromAddress") or "").strip().lower()
    is_ours = flag(email.fields, "Incoming") is False or drafter.instance.is_own_address(sender)
    author = Author("agent", email.id_of("CreatedById")) if is_ours else Author("customer", sender or None)
    yield drafter.interaction(
        email.id,
        "message",
        case,
        instant(email.fields, "MessageDate") or email.at,
        author,
        channel="email",
        identities=() if is_ours else identities_of_address(sender),
        text=email.text("TextBody") or html_text(email.text("HtmlBody")) or email.text("Subject"),
        automated="auto_reply" if _is_automatic(email) else None,
        raw_reference=f"salesforce:EmailMessage:{email.id}",
    )


def comment_changed(comment: SalesforceRecord, drafter: Drafter) -> Iterator[Draft | Ignored]:
    """A comment of a case. Users of the org write them; only published ones reach the customer."""
    case = comment.id_of("ParentId")
    if not comment.is_new or case is None:
        yield Ignored("without_effect" if not comment.is_new else "conversation_not_said")
        return
    yield drafter.interaction(
        comment.id,
        "message",
        case,
        instant(comment.fields, "CreatedDate") or comment.at,
        drafter.author("agent", comment.id_of("CreatedById") or comment.user),
        public=flag(comment.fields, "IsPublished") is True,
        text=comment.text("CommentBody"),
        raw_reference=f"salesforce:CaseComment:{comment.id}",
    )


CaseTeller = Callable[[SalesforceRecord, Drafter], Iterator[Draft | Ignored]]

CASE_TELLERS: dict[str, CaseTeller] = {
    "Case": case_changed,
    "CaseComment": comment_changed,
    "EmailMessage": email_changed,
}


def _opened(case: SalesforceRecord, drafter: Drafter) -> Draft:
    """The customer's first words. Who typed them in for a caller is staff, but they are the caller's."""
    supplied = (case.text("SuppliedEmail") or "").strip().lower()
    author = Author("customer", case.id_of("ContactId") or supplied or None)
    return drafter.interaction(
        f"{case.id}:opened",
        "message",
        case.id,
        instant(case.fields, "CreatedDate") or case.at,
        author,
        identities=_identities(case),
        text=case.text("Description") or case.text("Subject"),
        **_words(case),
    )


def _about(case: SalesforceRecord, part: str, kind: str, drafter: Drafter, **words: Any) -> Draft:  # noqa: ANN401 - contract fields
    user = case.user
    author = Author("agent", user) if user is not None and user.startswith(USER) else Author("system", user)
    return drafter.interaction(
        f"{case.event_id}:{part}",
        kind,  # type: ignore[arg-type]  # the callers' words are the contract's
        case.id,
        case.at,
        author,
        identities=_identities(case),
        **(_words(case) | words),
    )


def _words(case: SalesforceRecord) -> dict[str, Any]:
    """The case as it is now, as far as the event says it."""
    owner, status = case.id_of("OwnerId"), case.text("Status")
    origin = (case.text("Origin") or "").strip().lower()
    return {
        "agent": owner if owner is not None and owner.startswith(USER) else None,
        "team": owner if owner is not None and not owner.startswith(USER) else None,
        "priority": (case.text("Priority") or "").strip().lower() or None,
        "conversation_type": case.text("Type"),
        "channel": CHANNELS.get(origin),
        "source_status": status,
        "raw_reference": f"salesforce:Case:{case.id}",
    }


def _identities(case: SalesforceRecord) -> tuple[str, ...]:
    known = case.identities(
        ("salesforce_account", case.id_of("AccountId")), ("salesforce_contact", case.id_of("ContactId"))
    )
    # A form on the web: anybody can write any address there.
    return (*known, *identities_of_address(case.text("SuppliedEmail"), vouched_for=False))


def _is_automatic(email: SalesforceRecord) -> bool:
    """Whether the headers say that a machine answered (RFC 3834)."""
    headers = (email.text("Headers") or "").lower()
    return "auto-submitted: auto-" in headers or "x-autoreply: yes" in headers
