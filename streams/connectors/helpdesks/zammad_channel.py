"""Zammad (id `zammad`): webhooks of triggers, `{"ticket": {...}, "article": {...}}`, and the objects of its API.

Zammad does not say what changed: it sends the ticket as it is and the article that the trigger was about, if any. The
article is a message; the ticket's state is told as a change where the message does not say the same. Its escalation
times stay Zammad's own. Sources: Zammad admin documentation, "Webhook Payload"; Zammad documentation, "Ticket",
"Articles", "States".
"""

from datetime import datetime, timedelta
from typing import Any

from schemas.interaction import Attachment, Author, AuthorKind, Status
from streams.connectors.accounts_directory import identities_of_address
from streams.connectors.connector_contract import (
    ConnectorKind,
    Draft,
    Instance,
    Reading,
    Refused,
    WebhookRequest,
)
from streams.connectors.drafting import Drafter
from streams.connectors.helpdesks.mail_addresses import mail_address
from streams.connectors.helpdesks.status_names import STATUSES_OPTION, StatusNames, check_statuses
from streams.connectors.hmac_signatures import HmacScheme, HmacVerifier
from streams.connectors.payload_reading import (
    Json,
    Malformed,
    content_id,
    flag,
    id_text,
    instant,
    read_items,
    required,
    table,
    tables,
    text,
    whole_number,
    word,
)
from streams.connectors.plain_text import looks_like_html, plain_text

SIGNATURE = HmacScheme(header="x-hub-signature", digest="sha1", prefix="sha1=")

STATES: dict[str, Status] = {
    "new": "new",
    "open": "open",
    "pending reminder": "waiting_on_customer",
    "pending close": "waiting_on_customer",
    "closed": "closed",
    "merged": "closed",
    "removed": "deleted",
    "neu": "new",
    "offen": "open",
    "warten auf erinnerung": "waiting_on_customer",
    "warten auf schließen": "waiting_on_customer",
    "geschlossen": "closed",
    "zusammengefügt": "closed",
}
STATES_BY_ID: dict[str, Status] = {
    "1": "new",
    "2": "open",
    "3": "waiting_on_customer",
    "4": "closed",
    "5": "closed",
    "6": "deleted",
    "7": "waiting_on_customer",
}
"""The states that every Zammad begins with; renamed or translated they keep their numbers."""

SENDERS: dict[str, AuthorKind] = {
    "agent": "agent",
    "customer": "customer",
    "system": "system",
    "1": "agent",
    "2": "customer",
    "3": "system",
}
CHANNELS = {
    "email": "email",
    "phone": "phone",
    "web": "form",
    "sms": "sms",
    "chat": "chat",
    "whatsapp message": "whatsapp",
    "telegram personal-message": "social",
    "facebook feed post": "social",
    "facebook feed comment": "social",
    "twitter status": "social",
    "twitter direct-message": "social",
}
"""By the type of an article; a note has no channel of its own, so the ticket's first article tells it."""

NOBODY = "1"
"""The owner of a ticket without one, and the author of what Zammad does itself: the user `-`."""

SAME_MOMENT = timedelta(seconds=2)
"""A ticket is written within this time of what changed it."""


class ZammadPayloads:
    """Reads a trigger's webhook, or a ticket, an article or a list of either."""

    def __init__(self, instance: Instance) -> None:
        self._instance = instance
        self._states = StatusNames(instance, STATES)

    def normalise(self, request: WebhookRequest) -> Reading:
        """The events of one body."""
        drafter = Drafter(self._instance, request, "other")
        return read_items(request.body, lambda item: self._one(drafter, item))

    def _one(self, drafter: Drafter, item: dict[str, Json]) -> Reading:
        ticket, article = table(item, "ticket"), table(item, "article")
        if not ticket and not article:
            is_article = "ticket_id" in item and {"body", "sender", "sender_id", "internal"} & set(item)
            ticket, article = ({}, item) if is_article else (item, {})
        if not article and not {"state", "state_id", "number", "title"} & set(ticket):
            raise Malformed("Object contains no ticket or article - at `$`")
        return ZammadTicket(drafter, self._states, ticket, article).events()


class ZammadTicket:
    """A ticket and the article that came with it; either may be empty."""

    def __init__(
        self, drafter: Drafter, states: StatusNames, ticket: dict[str, Json], article: dict[str, Json]
    ) -> None:
        """Take the objects.

        Raises:
            Malformed: neither says which ticket it is.
        """
        self._drafter = drafter
        self._states = states
        self._ticket = ticket
        self._article = article
        self._id = required(id_text(ticket, "id") or id_text(article, "ticket_id"), "$.ticket.id")
        self._updated_at = instant(ticket, "updated_at")
        customer = table(ticket, "customer")
        self._customer_id = id_text(ticket, "customer_id") or id_text(customer, "id")
        self._address = mail_address(customer.get("email")) or mail_address(ticket.get("customer"))

    def events(self) -> Reading:
        """What this payload tells: the article, the state and the owner, as far as each is news."""
        message = self._message() if any(self._article.get(key) for key in ("id", "body", "sender")) else None
        found = [message, None if self._is_said_by(message) else self._state(), self._owner()]
        return [each for each in found if each is not None]

    def _message(self) -> Draft:
        article = self._article
        article_id = id_text(article, "id") or content_id(article)
        author = self._author()
        body = text(article, "body")
        is_html = "html" in (word(article, "content_type") or ("html" if looks_like_html(body or "") else ""))
        return self._interaction(
            f"article:{article_id}",
            instant(article, "created_at") or self._updated_at,
            author,
            type="message",
            public=flag(article, "internal") is not True,
            automated=self._automated(author),
            text=(plain_text(body) or None) if body and is_html else body,
            attachments=tuple(_attachment(each) for each in tables(article, "attachments")),
            raw_reference=f"zammad:article:{article_id}",
        )

    def _author(self) -> Author:
        """The sender is Zammad's own word; an agent who writes down a call writes the customer's article."""
        article = self._article
        said = word(article, "sender") or word(table(article, "sender"), "name") or id_text(article, "sender_id") or ""
        kind = SENDERS.get(said) or SENDERS.get(id_text(article, "sender_id") or "")
        if kind is None:
            kind = "agent" if flag(article, "internal") else "customer"  # a customer writes nothing internal
        creator, origin = id_text(article, "created_by_id"), id_text(article, "origin_by_id")
        if kind != "customer":
            return Author(kind, creator)
        is_creator = flag(article, "internal") is None or word(article, "type") != "phone"
        person = origin or self._customer_id or (creator if is_creator else None)
        return self._drafter.author("customer", person)

    def _automated(self, author: Author) -> str | None:
        if author.kind == "system":
            return "trigger"
        told = table(self._article, "preferences")
        return "auto_reply" if flag(told, "is-auto-response") else None

    def _is_said_by(self, message: Draft | None) -> bool:
        """A customer's message opens a ticket by itself."""
        if message is None:
            return False
        writer = getattr(message.event, "author", Author())
        state = self._state_in_our_words()
        return state is None or (writer.kind == "customer" and state in {"new", "open"})

    def _state_in_our_words(self) -> Status | None:
        numbered = id_text(self._ticket, "state_id") or id_text(table(self._ticket, "state"), "id")
        return self._states.find(self._state_name(), numbered) or STATES_BY_ID.get(numbered or "")

    def _state_name(self) -> str | None:
        return text(self._ticket, "state") or text(table(self._ticket, "state"), "name")

    def _state(self) -> Draft | Refused | None:
        ticket = self._ticket
        original = self._state_name() or id_text(ticket, "state_id")
        if original is None:
            return None
        state = self._state_in_our_words()
        if state is None:
            return Refused("not_understood", f"the state {original[:80]!r} is not known; see statuses")
        stamp = self._updated_at.isoformat() if self._updated_at is not None else content_id(ticket)
        return self._interaction(
            f"ticket:{self._id}:state:{state}:{stamp}",
            self._updated_at,
            self._editor(),
            type="status_changed",
            status=state,
            source_status=original,
        )

    def _owner(self) -> Draft | None:
        """The change of owner, if it is what this update was about."""
        changed_at = instant(self._ticket, "last_owner_update_at")
        if changed_at is None or self._updated_at is None or abs(self._updated_at - changed_at) > SAME_MOMENT:
            return None
        event_id = f"ticket:{self._id}:owner:{changed_at.isoformat()}"
        return self._interaction(event_id, changed_at, self._editor(), type="assigned")

    def _editor(self) -> Author:
        """Who wrote the ticket last."""
        editor = id_text(self._ticket, "updated_by_id")
        if editor is None or editor == NOBODY:
            return Author("system", editor)
        if editor == self._customer_id:
            return self._drafter.author("customer", editor)
        return Author("agent", editor)

    def _interaction(self, event_id: str, at: datetime | None, author: Author, **words: Any) -> Draft:  # noqa: ANN401 - contract fields
        ticket = self._ticket
        owner = id_text(ticket, "owner_id")
        kind = word(self._article, "type") or ""
        said: dict[str, Any] = {
            "team": id_text(ticket, "group_id"),
            "agent": None if owner == NOBODY else owner,
            "conversation_type": word(ticket, "type"),
            "priority": _priority(ticket),
            "tags": tuple(tag for tag in ticket.get("tags") or () if isinstance(tag, str)),
            "raw_reference": f"zammad:ticket:{self._id}",
        } | words
        return self._drafter.interaction(
            event_id,
            said.pop("type"),
            self._id,
            at,
            author,
            identities=self._identities(author),
            channel=CHANNELS.get(kind) or CHANNELS.get(word(ticket, "create_article_type") or ""),
            **said,
        )

    def _identities(self, author: Author) -> tuple[str, ...]:
        ticket = self._ticket
        address = self._address
        if not ticket and author.kind == "customer":
            address = mail_address(self._article.get("from"))
        outside = None if self._drafter.instance.is_own_address(address or "") else address
        domain, *mailbox = identities_of_address(outside) or ("",)
        organisation = id_text(ticket, "organization_id") or id_text(table(ticket, "organization"), "id")
        person = self._customer_id or (author.id if author.kind == "customer" else None)
        kinds = (
            domain,
            organisation and f"zammad_organization:{organisation}",
            *mailbox,
            person and f"zammad_user:{person}",
        )
        return tuple(identity for identity in kinds if identity)


def _priority(ticket: dict[str, Json]) -> str | None:
    """Zammad numbers its priorities in their names: `2 normal`."""
    name = word(ticket, "priority") or word(table(ticket, "priority"), "name")
    return name.lstrip("0123456789 ") or name if name is not None else None


def _attachment(each: dict[str, Json]) -> Attachment:
    told = table(each, "preferences")
    return Attachment(
        name=text(each, "filename"),
        media_type=text(told, "Content-Type") or text(told, "Mime-Type"),
        size_bytes=whole_number(each, "size"),
    )


def _verifier(instance: Instance) -> HmacVerifier:
    check_statuses(instance)
    return HmacVerifier(SIGNATURE, instance.secrets)


ZAMMAD = ConnectorKind(
    id="zammad",
    title="Zammad trigger webhooks",
    normaliser=ZammadPayloads,
    verifier=_verifier,
    options=STATUSES_OPTION,
    setup=(
        "Settings > Manage > Webhook: endpoint https://<your host>/in/zammad, an HMAC SHA1 signature token,\n"
        "no custom payload. Then Manage > Trigger: one with the condition 'action is created or updated'\n"
        "and this webhook under 'execute changes on objects'."
    ),
)
