"""Freshdesk (id `freshdesk`): webhooks of automation rules, events of Freshworks apps, and objects of its API.

`freshdesk_rules` reads the first kind; here are the others: `{"event": "onConversationCreate", "data": {...}}`, a bare
ticket, a bare conversation (Freshdesk's name for one reply or note), a satisfaction rating, and lists of them. Sources:
Freshworks app SDK ("Product events"), Freshdesk API v2. Freshdesk signs nothing: a token proves the sender
(`shared_secrets`).
"""

from datetime import datetime

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
from streams.connectors.helpdesks.freshdesk_rules import RuleWebhook
from streams.connectors.helpdesks.freshdesk_ticket import FreshdeskTicket, identities_of
from streams.connectors.helpdesks.freshdesk_words import FACES, RATINGS, REPLY_CHANNELS, STATUSES, change_of
from streams.connectors.helpdesks.mail_addresses import mail_address
from streams.connectors.helpdesks.status_names import STATUSES_OPTION, StatusNames, check_statuses
from streams.connectors.message_content import attachments_of, html_text
from streams.connectors.payload_reading import (
    Json,
    Malformed,
    content_id,
    flag,
    id_text,
    instant,
    items,
    read_items,
    required,
    table,
    tables,
    text,
    word,
)
from streams.connectors.shared_secrets import SharedSecret

SURVEY_FEEDBACK = "6"
"""A conversation's source that is an answer to a satisfaction survey: no question, and no answer to one."""


class FreshdeskPayloads:
    """Reads whatever Freshdesk sends or its API returns."""

    def __init__(self, instance: Instance) -> None:
        self._instance = instance
        self._statuses = StatusNames(instance, STATUSES)

    def normalise(self, request: WebhookRequest) -> Reading:
        """The events of one body."""
        drafter = Drafter(self._instance, request, "other")
        return read_items(request.body, lambda item: self._one(drafter, item))

    def _one(self, drafter: Drafter, item: dict[str, Json]) -> Reading:
        rule, data = table(item, "freshdesk_webhook"), table(item, "data") or item
        if rule:
            return RuleWebhook(drafter, self._statuses, rule).read()
        if reply := table(data, "conversation"):
            return [self._reply(drafter, reply, item, table(data, "actor"))]
        if ticket := table(data, "ticket") or table(data, "helpdesk_ticket"):
            if "triggered_event" in ticket:
                return RuleWebhook(drafter, self._statuses, ticket).read()
            return self._ticket(drafter, ticket, item)
        return self._bare(drafter, item)

    def _bare(self, drafter: Drafter, item: dict[str, Json]) -> Reading:
        """An object without an envelope: what it is shows in its keys."""
        if "ticket_id" in item and {"incoming", "private", "body", "body_text"} & set(item):
            return [self._reply(drafter, item, {}, {})]
        if isinstance(item.get("ratings"), dict):
            return [_rating(drafter, item)]
        if "time_spent" in item:
            return [Ignored("other_subject")]
        if "triggered_event" in item or "ticket_id" in item:
            return RuleWebhook(drafter, self._statuses, item).read()
        if word(item, "event") or isinstance(item.get("data"), dict) or table(item, "contact"):
            return [_other(item)]
        if "id" in item and {"status", "requester_id"} & set(item):
            return self._ticket(drafter, item, {})
        raise Malformed("Object contains no freshdesk_webhook, ticket or conversation - at `$`")

    # tickets

    def _ticket(self, drafter: Drafter, said: dict[str, Json], item: dict[str, Json]) -> Reading:
        data = table(item, "data") or item
        ticket = FreshdeskTicket(drafter, self._statuses, said, table(data, "requester"))
        changes = table(said, "changes") or table(data, "changes")
        changes = table(changes, "model_changes") or changes
        event = (word(item, "event") or "").replace("_", "")
        if changes or "update" in event:
            return self._updated(ticket, changes, item, table(data, "actor"))
        if "delete" in event:
            ticket.ticket = said | {"deleted": True}
            return [ticket.status(content_id(item), _event_time(item, said), _actor(table(data, "actor"), ticket))]
        replies = [self._reply(drafter, {"ticket_id": ticket.number} | each, {}, {}) for each in _replies_of(said)]
        return [*ticket.as_it_is(), *replies]

    def _updated(
        self, ticket: FreshdeskTicket, changes: dict[str, Json], item: dict[str, Json], actor: dict[str, Json]
    ) -> Reading:
        at, author, digest = _event_time(item, ticket.ticket), _actor(actor, ticket), content_id(item or ticket.ticket)
        made = [
            ticket.changed(field, change_of(change), f"{digest}:{field}", at, author)
            for field, change in changes.items()
        ]
        told: list[Draft | Ignored | Refused] = [each for each in made if isinstance(each, Draft | Refused)]
        return told or [Ignored("without_effect")]

    # replies and notes

    def _reply(
        self, drafter: Drafter, reply: dict[str, Json], item: dict[str, Json], actor: dict[str, Json]
    ) -> Draft | Ignored:
        number = required(id_text(reply, "ticket_id"), "$.conversation.ticket_id")
        private = flag(reply, "private") is True
        author = _author_of(drafter, reply, actor)
        made = id_text(reply, "id") or content_id(reply)
        source = id_text(reply, "source")
        event = (word(item, "event") or "").replace("_", "")
        if source == SURVEY_FEEDBACK:
            return Ignored("told_elsewhere")
        event_id, kind, gone = f"conversation:{made}", "message", "delete" in event
        if gone:
            kind = "deleted"
        elif "update" in event:
            event_id, kind = f"{event_id}:edited:{content_id(reply)}", "edited"
        return drafter.interaction(
            event_id,
            kind,  # type: ignore[arg-type]  # one of three words
            number,
            instant(reply, "created_at") if kind == "message" else _event_time(item, reply),
            author,
            identities=_identities(drafter, reply, author),
            channel=REPLY_CHANNELS.get(source or ""),
            public=not private,
            automated=_automated(reply, author),
            text=text(reply, "body_text") or html_text(reply.get("body")),
            attachments=attachments_of(reply, "attachments"),
            version=int(gone),
            raw_reference=f"freshdesk:conversation:{made}",
        )


def _rating(drafter: Drafter, rating: dict[str, Json]) -> Draft | Refused:
    """A satisfaction rating as a survey signal; its main question is the one that every survey has."""
    number = required(id_text(rating, "ticket_id"), "$.ticket_id")
    answer = id_text(rating, "ratings", "default_question") or ""
    if answer not in RATINGS:
        return Refused("not_understood", f"the rating {answer[:40]!r} is not known")
    rating_id = id_text(rating, "id") or content_id(rating)
    return drafter.signal(
        f"rating:{rating_id}",
        "survey",
        "csat",
        RATINGS[answer],
        instant(rating, "updated_at") or instant(rating, "created_at"),
        identities=identities_of(drafter, None, None, id_text(rating, "user_id")),
        conversation=number,
        scale=FACES,
        text=html_text(rating.get("feedback")),
        raw_reference=f"freshdesk:rating:{rating_id}",
    )


def _other(item: dict[str, Json]) -> Ignored | Refused:
    event = word(item, "event") or ""
    if event.startswith("on") or table(item, "data", "contact") or table(item, "contact"):
        return Ignored("other_subject")
    return Refused("not_understood", f"the event {event[:80]!r} has neither a ticket nor a conversation")


def _replies_of(ticket: dict[str, Json]) -> list[dict[str, Json]]:
    return [*tables(ticket, "conversations")]


def _event_time(item: dict[str, Json], changed: dict[str, Json]) -> datetime | None:
    return instant(item, "timestamp") or instant(changed, "updated_at")


def _author_of(drafter: Drafter, reply: dict[str, Json], actor: dict[str, Json]) -> Author:
    """Freshdesk's own word is `incoming`: whether it came from outside."""
    incoming, person = flag(reply, "incoming"), id_text(reply, "user_id") or id_text(actor, "id")
    address = mail_address(reply.get("from_email")) or ""
    if "system" in (word(actor, "type") or ""):
        return Author("system", person)
    if incoming is None:
        outside = flag(reply, "private") is not True and "agent" not in (word(actor, "type") or "")
    else:
        outside = incoming
    if not outside or drafter.instance.is_own_address(address):
        return Author("agent", person)
    return drafter.author("customer", person or address or None)


def _automated(reply: dict[str, Json], author: Author) -> str | None:
    if flag(reply, "auto_response"):
        return "auto_reply"
    by_rule = author.kind == "system" or id_text(reply, "automation_id") is not None
    return "trigger" if by_rule else None


def _identities(drafter: Drafter, reply: dict[str, Json], author: Author) -> tuple[str, ...]:
    """The customer's side of it: who wrote, or to whom we did."""
    sender = mail_address(reply.get("from_email"))
    if author.kind == "customer":
        return identities_of(drafter, sender, None, author.id if id_text(reply, "user_id") else None)
    first = next((address for to in items(reply, "to_emails") if (address := mail_address(to))), "")
    ours = (sender or "").rpartition("@")[2]
    outside = first if first.rpartition("@")[2] != ours else None
    return identities_of(drafter, outside, None, id_text(reply, "ticket_requester_id"))


def _actor(actor: dict[str, Json], ticket: FreshdeskTicket) -> Author:
    """Who caused an event, as far as it is said."""
    person = next((found for key in ("id", "user_id", "profile_id") if (found := id_text(actor, key))), None)
    kind = word(actor, "type") or ""
    if person is None or "system" in kind:
        return Author("system", person)
    if person == ticket.requester_id or kind in {"requester", "contact", "customer", "user"}:
        return ticket.drafter.author("customer", person)
    return Author("agent", person)


def _verifier(instance: Instance) -> SharedSecret:
    check_statuses(instance)
    return SharedSecret(instance.tokens)


FRESHDESK = ConnectorKind(
    id="freshdesk",
    title="Freshdesk automation webhooks and app events",
    normaliser=FreshdeskPayloads,
    verifier=_verifier,
    options=STATUSES_OPTION,
    setup=(
        "Admin > Workflows > Automations > Ticket updates (and Ticket creation): a rule with the action\n"
        "Trigger webhook, POST https://<your host>/in/freshdesk, custom header X-Careline-Token: <token>,\n"
        "encoding JSON, advanced content\n"
        '{"freshdesk_webhook": {"triggered_event": "{{triggered_event}}", "ticket_id": "{{ticket.id}}",\n'
        ' "ticket_status": "{{ticket.status}}", "ticket_priority": "{{ticket.priority}}",\n'
        ' "ticket_source": "{{ticket.source}}", "ticket_description": "{{ticket.description}}",\n'
        ' "ticket_latest_public_comment": "{{ticket.latest_public_comment}}",\n'
        ' "ticket_requester_name": "{{ticket.requester.name}}",\n'
        ' "ticket_requester_email": "{{ticket.requester.email}}", "ticket_agent_email": "{{ticket.agent.email}}",\n'
        ' "event_performer_name": "{{event_performer.name}}", "event_performer_email": "{{event_performer.email}}"}}'
    ),
)
