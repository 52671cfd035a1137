"""HubSpot (id `hubspot`): its webhooks, lists of thin events, and the objects of its API that they point to.

An event names what changed and the new value, seldom who did it and never any text: `ticket.propertyChange` of
`hs_pipeline_stage` is a status, of `hs_last_message_received_at` a message of the customer. Threads and tickets are
conversations `thread:<id>` and `ticket:<id>`. `hubspot_messages` and `hubspot_records` read the objects,
`hubspot_signature` verifies. Sources: HubSpot developer documentation, "Webhooks API" and "Conversations API".
"""

from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any

from schemas.interaction import Author, Status
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
from streams.connectors.helpdesks.hubspot_messages import is_message, read_announcement, read_message, thread_of
from streams.connectors.helpdesks.hubspot_records import STAGES, as_record, is_record, read_record, ticket_of
from streams.connectors.helpdesks.hubspot_signature import HubSpotSignature
from streams.connectors.helpdesks.status_names import STATUSES_OPTION, StatusNames, check_statuses
from streams.connectors.payload_reading import (
    EPOCH,
    Json,
    Malformed,
    content_id,
    flag,
    id_text,
    instant,
    items,
    read_each,
    read_items,
    required,
    table,
    whole_object,
    word,
)

OBJECT_TYPES = {"0-1": "contact", "0-2": "company", "0-3": "deal", "0-5": "ticket", "0-11": "conversation"}
"""HubSpot's numbers of its objects, in the newer events `object.propertyChange`."""
OTHER_SUBJECTS = frozenset({"company", "contact", "deal", "line_item", "object", "product"})
"""Records that are nobody's conversation. A deal's event does not say whose it is, and a company's deletion is
housekeeping (duplicates, imports) as often as a loss: neither is a signal about an account."""

LIFE: dict[str, tuple[Status, str]] = {
    "creation": ("new", "created"),
    "deletion": ("deleted", "deleted"),
    "privacydeletion": ("deleted", "deleted"),
    "restore": ("open", "restored"),
}
"""What happens to a ticket or thread as a whole: our status, and what is kept as its original."""

CHANNEL_ACCOUNT = "channel_account_"
"""Before what a custom channel tells of its accounts (HubSpot, "Custom channels"): created, updated, purged."""

RECEIVED = "hs_last_message_received_at"
SENT = "hs_last_message_sent_at"


def milliseconds(moment: datetime) -> int:
    """An instant as HubSpot's webhooks write it."""
    return (moment - EPOCH) // timedelta(milliseconds=1)


class HubSpotPayloads:
    """Reads webhooks, messages, threads, tickets and deals."""

    def __init__(self, instance: Instance) -> None:
        self._instance = instance
        self._statuses = StatusNames(instance, STAGES)

    def normalise(self, request: WebhookRequest) -> Reading:
        """The events of one body, in its order, which need not be that of time."""
        drafter = Drafter(self._instance, request, "other")
        return read_items(request.body, lambda item: self._one(drafter, item))

    def _one(self, drafter: Drafter, item: dict[str, Json]) -> Reading:
        if word(item, "subscriptionType") or word(item, "eventType"):
            return ThinEvent(drafter, self._statuses, item).read()
        if is_message(item):
            return [read_message(drafter, item)]
        if is_record(item):
            return read_record(drafter, self._statuses, item)
        if (record := as_record(item)) is not None:
            return read_record(drafter, self._statuses, record)
        if (reason := _idle(item)) is not None:
            return [Ignored(reason)]
        inside = next((table(item, key) for key in ("message", "messagesResponse") if table(item, key)), None)
        listed = items(item, "results") or items(item, "events")
        if inside is None and not isinstance(item.get("results"), list) and not listed:
            raise Malformed("Object contains no subscriptionType, message or record - at `$`")
        parts = listed if inside is None else [inside]
        read = read_each(parts, whole_object(lambda found: self._one(drafter, found)))
        return read or [Ignored("nothing_inside")]


def _idle(item: dict[str, Json]) -> str | None:
    """Why an object of HubSpot's is no event; null where it may be one."""
    if (word(item, "type") or "").startswith(CHANNEL_ACCOUNT):
        return "other_subject"
    # A thread as it is: its history says what happened.
    return "without_effect" if "latestMessageTimestamp" in item or "originalChannelId" in item else None


class ThinEvent:
    """One event of a webhook."""

    def __init__(self, drafter: Drafter, statuses: StatusNames, event: dict[str, Json]) -> None:
        self._drafter = drafter
        self._statuses = statuses
        self._event = event
        said = word(event, "subscriptionType") or word(event, "eventType") or ""
        subject, _, self._what = said.partition(".")
        if subject == "object":
            subject = OBJECT_TYPES.get(word(event, "objectTypeId") or "", subject)
        self._subject = subject
        self._said = said
        self._id = self._event_id()

    def _event_id(self) -> str:
        """HubSpot does not promise that its ids of events are unique, and its API does not know them.

        What makes an event one in its record is the property with its value and time, which the history of the record
        tells as well (`hubspot_history`); a record is created once.
        """
        name, at = word(self._event, "propertyName"), instant(self._event, "occurredAt")
        if self._what == "creation":
            return "creation"
        if self._what == "propertychange" and name is not None and at is not None:
            return f"change:{name}:{(id_text(self._event, 'propertyValue') or '')[:100]}:{milliseconds(at)}"
        told = (id_text(self._event, "eventId"), self._what, name)
        if told[0] is None:
            return content_id(self._event, leaving_out=("attemptNumber",))
        return ":".join(part for part in (*told, id_text(self._event, "occurredAt")) if part)

    def read(self) -> Reading:
        """What it means."""
        handlers: dict[str, Callable[[], Reading]] = {
            "ticket": self._of_ticket,
            "conversation": self._of_thread,
        }
        handler = handlers.get(self._subject)
        if handler is not None:
            return handler()
        if self._subject in OTHER_SUBJECTS or self._what in {"propertychange", "creation", "deletion", "merge"}:
            return [Ignored("nobody_named" if self._subject == "deal" else "other_subject")]
        return [Refused("not_understood", f"the subscription type {self._said[:80]!r} is not known")]

    def _interaction(self, kind: Any, conversation: str, author: Author | None = None, **words: Any) -> Draft:  # noqa: ANN401 - contract fields
        event = self._event
        said = {"event_id": self._id} | words
        if (told := id_text(event, "eventId")) is not None:
            said = {"raw_reference": self._drafter.reference("event", told)} | said
        at = said.pop("at", None) or instant(event, "occurredAt")
        return self._drafter.interaction(said.pop("event_id"), kind, conversation, at, author or self._actor(), **said)

    def _actor(self) -> Author:
        """Who did it: a user of HubSpot's where the event names one, else nobody in particular."""
        source = word(self._event, "sourceId") or ""
        user = source.removeprefix("userid:") if source.startswith("userid:") else None
        return Author("agent", user) if user else Author()

    def _object(self) -> str:
        return required(id_text(self._event, "objectId"), "$.objectId")

    # tickets

    def _of_ticket(self) -> Reading:
        if self._what == "merge":
            return self._merged()
        if self._what == "associationchange":
            return [self._associated()]
        ticket = ticket_of(self._object())
        return [self._property_of_ticket(ticket) if self._what == "propertychange" else self._life(ticket)]

    def _life(self, conversation: str) -> Draft | Refused:
        if self._what not in LIFE:
            return Refused("not_understood", f"the subscription type {self._said[:80]!r} is not known")
        status, original = LIFE[self._what]
        return self._interaction("status_changed", conversation, status=status, source_status=original)

    def _property_of_ticket(self, ticket: str) -> Draft | Ignored | Refused:
        name, value = word(self._event, "propertyName") or "", id_text(self._event, "propertyValue")
        if name in {"hs_pipeline_stage", "hs_ticket_status"}:
            status = self._statuses.find(value)
            if status is None:
                return Refused("not_understood", f"the stage {(value or '')[:40]!r} is not known; see statuses")
            return self._interaction("status_changed", ticket, status=status, source_status=value)
        if name in {RECEIVED, SENT} and value is not None:
            return self._message_of_ticket(ticket, name, value)
        if name == "hs_ticket_priority" and value is not None:
            return self._interaction("priority_changed", ticket, priority=value.lower())
        if name in {"hubspot_owner_id", "hubspot_team_id"}:
            whom: dict[str, Any] = {"agent" if name == "hubspot_owner_id" else "team": value}
            return self._interaction("assigned", ticket, **whom)
        return Ignored("without_effect")

    def _message_of_ticket(self, ticket: str, name: str, value: str) -> Draft:
        """The property is the time of the last message from, or to, the customer: a message without its text."""
        author = Author("customer") if name == RECEIVED else Author("agent", self._actor().id)
        at = instant(self._event, "propertyValue")
        event_id = f"{'received' if name == RECEIVED else 'sent'}:{value}"
        return self._interaction("message", ticket, author, event_id=event_id, at=at)

    def _merged(self) -> Reading:
        event = self._event
        survivor = required(id_text(event, "newObjectId") or id_text(event, "primaryObjectId"), "$.newObjectId")
        others = [id_text(each) for each in (*items(event, "mergedObjectIds"), event.get("primaryObjectId"))]
        into = self._drafter.conversation(ticket_of(survivor))
        gone = dict.fromkeys(other for other in others if other is not None and other != survivor)
        found = [
            self._interaction("merged", ticket_of(other), into=into, event_id=f"{self._id}:{other}") for other in gone
        ]
        return found or [Ignored("without_effect")]

    def _associated(self) -> Draft | Ignored:
        """A ticket that now belongs to a company."""
        event = self._event
        is_company = word(event, "associationType") == "ticket_to_company" or (
            word(event, "fromObjectTypeId") == "0-5" and word(event, "toObjectTypeId") == "0-2"
        )
        company = id_text(event, "toObjectId")
        ticket = id_text(event, "fromObjectId") or id_text(event, "objectId")
        if not is_company or company is None or ticket is None or flag(event, "associationRemoved"):
            return Ignored("without_effect")
        whose = (f"hubspot_company:{company}",)
        return self._interaction("account_changed", ticket_of(ticket), identities=whose)

    # threads

    def _of_thread(self) -> Reading:
        thread = thread_of(self._object())
        if self._what == "newmessage":
            return [read_announcement(self._drafter, self._event, self._id)]
        return [self._property_of_thread(thread) if self._what == "propertychange" else self._life(thread)]

    def _property_of_thread(self, thread: str) -> Draft | Ignored | Refused:
        name, value = word(self._event, "propertyName") or "", word(self._event, "propertyValue")
        if name == "assignedto":
            return self._interaction("assigned", thread, agent=id_text(self._event, "propertyValue"))
        if name == "isarchived":
            status = "deleted" if flag(self._event, "propertyValue") else "open"
            return self._interaction("status_changed", thread, status=status, source_status=f"archived {value}")
        if name == "status":
            if value not in {"open", "closed"}:
                return Refused("not_understood", f"the status {(value or '')[:40]!r} is not known")
            return self._interaction("status_changed", thread, status=value, source_status=value)
        return Ignored("without_effect")


def _verifier(instance: Instance) -> HubSpotSignature:
    check_statuses(instance)
    return HubSpotSignature(instance.secrets)


HUBSPOT = ConnectorKind(
    id="hubspot",
    title="HubSpot webhooks: tickets and conversations",
    normaliser=HubSpotPayloads,
    verifier=_verifier,
    options=STATUSES_OPTION,
    setup=(
        "Your app > Webhooks: target URL https://<your host>/in/hubspot (its host also as public_url: it is\n"
        "signed); secrets: the app's client secret. Subscribe to ticket creation, deletion, merge, and the properties\n"
        "hs_pipeline_stage, hs_ticket_priority, hubspot_owner_id, hs_last_message_received_at and\n"
        "hs_last_message_sent_at; to conversation creation, newMessage, status and assignedTo.\n"
        "Stages of your own pipelines: statuses: 954564780=resolved, 954498199=on_hold"
    ),
)
