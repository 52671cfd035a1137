"""Zendesk's API objects as canonical events: tickets, their audits and comments, satisfaction ratings.

Histories, exports and integration platforms hand these over instead of webhooks. Source: Zendesk developer
documentation, "Tickets", "Ticket Audits", "Ticket Audit events reference", "Ticket Comments", "Satisfaction Ratings".
"""

import re
from collections.abc import Callable, Mapping
from typing import Any

from schemas.interaction import Author, AuthorKind, InteractionType
from streams.connectors.connector_contract import Draft, Ignored, Reading, Refused
from streams.connectors.drafting import Drafter
from streams.connectors.helpdesks.zendesk_event_ids import (
    change_id,
    comment_id,
    edit_id,
    merge_id,
    message_id,
    opening_id,
    rating_id,
)
from streams.connectors.helpdesks.zendesk_payload import CHANNEL_OF, STATUSES, SYSTEM_USER, score_of
from streams.connectors.helpdesks.zendesk_payload import id_text as someone
from streams.connectors.message_content import attachments_of, written_text
from streams.connectors.payload_reading import (
    Json,
    at,
    flag,
    id_text,
    instant,
    items,
    read_each,
    required,
    table,
    tables,
    text,
    word,
)

Told = list[Draft | Ignored | Refused]

ROLES: dict[str, AuthorKind] = {"end-user": "customer", "end_user": "customer", "agent": "agent", "admin": "agent"}
CHATTERS: dict[str, AuthorKind] = {"agent": "agent", "bot": "bot", "system": "system", "trigger": "system"}
COMMENTS = frozenset({"comment", "voicecomment", "facebookcomment", "facebookevent", "tweet", "chatevent"})
BY_CUSTOMERS = frozenset({("status", "open")})
"""What an answer of the customer changes by itself: it opens the ticket again."""
MERGED_INTO = re.compile(r"\bmerged into (?:request|ticket) #(\d{1,20})\b", re.ASCII)
"""What Zendesk writes into a ticket that it merges into another, in the words of an account in English."""
MERGED_TAG, TICKET_NUMBER = "closed_by_merge", re.compile(r"#(\d{1,20})\b", re.ASCII)
"""What it tags such a ticket with, and how it writes the other, in every language."""
CHATS = frozenset({"chatstartedevent", "chatendedevent"})
IN_PATH = re.compile(r"/tickets/(\d{1,20})\b", re.ASCII)
PLURALS = {"tickets": "ticket", "audits": "audit", "comments": "comment", "satisfaction_ratings": "satisfaction_rating"}


def objects_in(payload: Json) -> list[tuple[str, dict[str, Any]]]:
    """The objects that a body is or holds, with what they are; empty where it is something else."""
    if not isinstance(payload, dict):
        return []
    named = [(name, table(payload, name)) for name in PLURALS.values()]
    named += [(name, each) for plural, name in PLURALS.items() for each in tables(payload, plural)]
    found = [(name, each) for name, each in named if _kind_of(each) == name]
    if table(payload, "survey_response"):
        found.append(("survey_response", table(payload, "survey_response")))
    if found:
        # The answer to an update has the ticket beside its audit: then the audit tells what happened.
        return [each for each in found if each[0] == "audit"] or found
    kind = _kind_of(payload)
    return [(kind, payload)] if kind else []


def _kind_of(item: dict[str, Any]) -> str | None:
    if isinstance(at(item, "events"), list) and id_text(item, "ticket_id"):
        return "audit"
    if at(item, "score") is not None and id_text(item, "ticket_id"):
        return "satisfaction_rating"
    if isinstance(at(item, "answers"), list) and isinstance(at(item, "subjects"), list):
        return "survey_response"
    if {"id", "requester_id", "created_at"} <= item.keys() and {"submitter_id", "url", "via"} & item.keys():
        return "ticket"  # a trigger's body has fewer
    return "comment" if "author_id" in item and "public" in item and "body" in item else None


class ZendeskObjects:
    """Reads the objects of one body."""

    def __init__(self, drafter: Drafter, payload: Json) -> None:
        self._drafter = drafter
        self._roles = {
            id_text(user, "id"): ROLES.get(word(user, "role") or "")
            for user in (*tables(payload, "users"), table(payload, "user"))
        }
        addresses = [text(payload, key) for key in ("next_page", "previous_page", "url")]
        linked = [found[1] for address in addresses if address and (found := IN_PATH.search(address))]
        self._linked = linked[0] if linked else None

    def read(self, objects: list[tuple[str, dict[str, Any]]]) -> Reading:
        """Every object; a bad one harms none of its neighbours."""
        readers: Mapping[str, Callable[[dict[str, Any]], Told]] = {
            "audit": self.audit,
            "comment": self.comment,
            "satisfaction_rating": self.rating,
            "survey_response": self.survey,
            "ticket": self.ticket,
        }
        return [told for kind, each in objects for told in read_each([each], readers[kind])]

    # the objects

    def ticket(self, ticket: dict[str, Any]) -> Told:
        """A ticket as its first message and the status that it has."""
        number = required(id_text(ticket, "id"), "$.ticket.id")
        requester, submitter = someone(at(ticket, "requester_id")), someone(at(ticket, "submitter_id"))
        filed_for_them = submitter not in {None, requester}
        opener = self._author(submitter if filed_for_them else requester, ticket, requester)
        words = _words_of(ticket)
        moment = instant(ticket, "created_at")
        told: Told = [
            self._drafter.interaction(
                opening_id(number),
                "message",
                number,
                moment,
                opener,
                public=flag(ticket, "is_public") is not False,
                text=written_text(at(ticket, "description")),
                **words,
            )
        ]
        original = word(ticket, "status")
        if original not in {None, "new", "open"}:
            told.append(self._status(number, original, ticket, words))
        rating = table(ticket, "satisfaction_rating")
        if score_of(at(rating, "score")) is not None:
            about = {"ticket_id": number, "requester_id": requester, "updated_at": at(ticket, "updated_at")}
            told += self.rating(about | rating)
        return told

    def _status(self, number: str, original: str | None, ticket: Json, words: dict[str, Any]) -> Draft | Refused:
        status = STATUSES.get(original or "")
        if status is None:
            return Refused("not_understood", f"the status {str(original)[:40]!r} is not known")
        moment = instant(ticket, "updated_at")
        said = words | {"status": status, "source_status": original}
        return self._drafter.interaction(
            change_id(number, "status", original, moment), "status_changed", number, moment, Author("system"), **said
        )

    def audit(self, audit: dict[str, Any]) -> Told:
        """One update of a ticket: its comment and every change that means something here."""
        number = required(id_text(audit, "ticket_id"), "$.audit.ticket_id")
        events = list(tables(audit, "events"))
        author = self._updater(audit, events)
        begins = any(word(event, "type") == "create" for event in events)
        told: Told = []
        last: dict[str, int] = {}
        for event in events:
            about = {"via": audit.get("via")} | event | {"created_at": audit.get("created_at")}
            of_another = id_text(event, "author_id") not in {None, id_text(audit, "author_id")}
            writer = self._author(someone(at(event, "author_id")), about, None) if of_another else author
            if not id_text(event, "id"):
                continue
            if word(event, "type") in CHATS:
                told += self._chat(number, event)
            elif word(event, "type") in COMMENTS:
                is_opening = begins and writer.kind != "system"
                told.append(self._message(number, about, writer, opening_id(number) if is_opening else None))
                begins = begins and not is_opening
            elif (made := self._audit_event(number, about, writer)) is not None:
                # A rule may go over what a person has just set: of one update and one id the last word counts.
                if made.event.id in last:
                    told[last[made.event.id]] = made
                else:
                    last[made.event.id] = len(told)
                    told.append(made)
        told += self._rating_in(number, audit, events)
        return told + self._merged(number, audit, events, author) or [Ignored("without_effect")]

    def _updater(self, audit: Json, events: list[dict[str, Any]]) -> Author:
        """Who made an update: what it did says much, since customers only write, and only in public."""
        person = someone(at(audit, "author_id"))
        if word(audit, "via", "channel") in {"rule", "system"}:
            return Author("system", person)
        set_at_first = {
            word(each, "field_name"): at(each, "value") for each in events if word(each, "type") == "create"
        }
        requester = someone(set_at_first.get("requester_id"))
        private = any(flag(each, "public") is False for each in events if word(each, "type") in COMMENTS)
        managed = any(
            word(each, "type") == "change" and (word(each, "field_name"), word(each, "value")) not in BY_CUSTOMERS
            for each in events
            if word(each, "field_name") in CHANGES and word(each, "via", "channel") != "rule"
        )
        about = {"via": at(audit, "via"), "public": not (private or managed)}
        return self._author(person, about, requester)

    def _audit_event(self, number: str, event: dict[str, Any], author: Author) -> Draft | None:
        kind = word(event, "type") or ""
        if word(event, "via", "channel") == "rule" and author.kind != "system":
            author = Author("system")
        moment = instant(event, "created_at")
        if kind in {"commentprivacychange", "commentredactionevent"}:
            comment = id_text(event, "comment_id")
            public = kind == "commentredactionevent" or flag(event, "public") is not False
            what = "redacted" if kind == "commentredactionevent" else "public" if public else "private"
            event_id = edit_id(comment, what, moment) if comment else f"audit:{id_text(event, 'id')}"
            words: dict[str, Any] = {"public": public, "raw_reference": f"zendesk:comment:{comment}"}
            return self._drafter.interaction(event_id, "edited", number, moment, author, **words)
        field, value = word(event, "field_name") or "", at(event, "value")
        at_first = kind == "create" and field == "status" and word(value) not in {"new", "open"}
        change = CHANGES[field](value) if field in CHANGES and (kind == "change" or at_first) else None
        if change is None:
            return None
        event_id = change_id(number, field, None if field == "tags" else value, moment)
        return self._drafter.interaction(event_id, change[0], number, moment, author, **change[1])

    def _merged(self, number: str, audit: Json, events: list[dict[str, Any]], author: Author) -> Told:
        """The end of this ticket in another one, where an update tells of it."""
        tags = [at(each, "value") for each in events if word(each, "field_name") == "tags"]
        tagged = any(MERGED_TAG in found for found in tags if isinstance(found, list))
        closed = any((word(each, "field_name"), word(each, "value")) == ("status", "closed") for each in events)
        if not tagged and not closed:
            return []
        bodies = [text(each, "body") or "" for each in events if word(each, "type") in COMMENTS]
        said = ((TICKET_NUMBER if tagged else MERGED_INTO).search(body) for body in bodies)
        target = next((found[1] for found in said if found), None)
        if target is None or target == number:
            return []
        into = self._drafter.conversation(target)
        moment = instant(audit, "created_at")
        return [self._drafter.interaction(merge_id(number, target), "merged", number, moment, author, into=into)]

    def _rating_in(self, number: str, audit: Json, events: list[dict[str, Any]]) -> Told:
        """A satisfaction rating is a change of the ticket, its words beside it in the same update."""
        said = {word(each, "field_name"): at(each, "value") for each in events if word(each, "type") == "change"}
        if score_of(said.get("satisfaction_score")) is None:
            return []
        about = {"ticket_id": number, "requester_id": at(audit, "author_id"), "updated_at": at(audit, "created_at")}
        return self.rating(about | {"score": said["satisfaction_score"], "comment": said.get("satisfaction_comment")})

    def _chat(self, number: str, event: Json) -> Told:
        """What was said in a chat, as its ticket keeps it: one audit for the beginning, one for the end."""
        told: Told = []
        for said in tables(event, "value", "history"):
            message = id_text(said, "message_id") or id_text(said, "msg_id")
            if word(said, "type") != "chatmessage" or message is None or not text(said, "message"):
                continue
            kind = CHATTERS.get(word(said, "actor_type") or "", "customer")
            author = Author(kind, (id_text(said, "actor_id") or "").rpartition(":")[2] or None)
            told.append(
                self._drafter.interaction(
                    message_id(message),
                    "message",
                    number,
                    instant(said, "timestamp"),
                    author,
                    channel="chat",
                    automated="bot" if kind == "bot" else "trigger" if kind == "system" else None,
                    text=text(said, "message"),
                )
            )
        return told

    def comment(self, comment: dict[str, Any]) -> Told:
        """A comment; it names its ticket only where it is listed under one."""
        number = id_text(comment, "ticket_id") or self._linked
        if number is None:
            return [Ignored("conversation_not_said")]
        return [self._message(number, comment, self._author(someone(at(comment, "author_id")), comment, None))]

    def _message(self, number: str, comment: dict[str, Any], author: Author, event_id: str | None = None) -> Draft:
        comment_number = required(id_text(comment, "id"), "$.comment.id")
        return self._drafter.interaction(
            event_id or comment_id(comment_number),
            "message",
            number,
            instant(comment, "created_at"),
            author,
            public=flag(comment, "public") is not False,
            channel=_channel(comment),
            automated="trigger" if author.kind == "system" else None,
            text=written_text(at(comment, "plain_body"), at(comment, "body"), at(comment, "html_body")),
            attachments=attachments_of(comment, "attachments"),
            identities=(f"zendesk_user:{author.id}",) if author.id and author.kind == "customer" else (),
            raw_reference=f"zendesk:comment:{comment_number}",
        )

    def rating(self, rating: dict[str, Any]) -> Told:
        """A satisfaction rating; offers that nobody has answered mean nothing."""
        number = required(id_text(rating, "ticket_id"), "$.satisfaction_rating.ticket_id")
        marks = score_of(at(rating, "score"))
        if marks is None:
            return [Ignored("no_answer")]
        value, scale = marks
        requester = someone(at(rating, "requester_id"))
        moment = instant(rating, "updated_at") or instant(rating, "created_at")
        return [
            self._drafter.signal(
                rating_id(number, at(rating, "score"), moment),
                "survey",
                "csat",
                value,
                moment,
                identities=(f"zendesk_user:{requester}",) if requester else (),
                conversation=number,
                scale=scale,
                text=written_text(at(rating, "comment")),
                raw_reference=f"zendesk:ticket:{number}",
            )
        ]

    def survey(self, response: dict[str, Any]) -> Told:
        """An answer to one of the newer surveys: stars and words."""
        subjects = [id_text(each, "id") or id_text(each, "zrn") for each in tables(response, "subjects")]
        number = next((found.rpartition(":")[2] for found in subjects if found), None)
        answers = list(tables(response, "answers"))
        stars = next((at(each, "rating") for each in answers if at(each, "rating") is not None), None)
        words = next((at(each, "value") for each in answers if text(each, "value")), None)
        about = {"id": at(response, "id"), "ticket_id": number, "score": stars, "comment": words}
        about["requester_id"] = at(response, "responder_id")
        return self.rating(about | {key: at(response, key) for key in ("created_at", "updated_at")})

    # the people

    def _author(self, person: str | None, written: Json, requester: str | None) -> Author:
        """Who wrote it: a role beside the object, else what the object itself gives away, else a customer."""
        if person == SYSTEM_USER:
            return Author("system", person)
        role = self._roles.get(person)
        if role is not None:
            return self._drafter.author(role, person)
        by_staff = flag(written, "public") is False or (requester is not None and person != requester)
        source = table(written, "via", "source")
        if not by_staff and requester is None and word(written, "via", "channel") == "web":
            by_staff = bool(text(source, "to", "address") and not text(source, "from", "address"))
        return Author("agent", person) if by_staff else self._drafter.author("customer", person)


def _channel(written: Json) -> str:
    return CHANNEL_OF.get(word(written, "via", "channel") or "", "other")


def _words_of(ticket: dict[str, Any]) -> dict[str, Any]:
    """What a ticket says about every event in it."""
    organisation, requester = someone(at(ticket, "organization_id")), someone(at(ticket, "requester_id"))
    found = (organisation and f"zendesk_org:{organisation}", requester and f"zendesk_user:{requester}")
    return {
        "channel": _channel(ticket),
        "inbox": someone(at(ticket, "brand_id")),
        "team": someone(at(ticket, "group_id")),
        "agent": someone(at(ticket, "assignee_id")),
        "conversation_type": word(ticket, "type"),
        "priority": word(ticket, "priority"),
        "tags": tuple(tag for tag in items(ticket, "tags") if isinstance(tag, str)),
        "identities": tuple(identity for identity in found if identity),
        "raw_reference": f"zendesk:ticket:{id_text(ticket, 'id')}",
    }


Change = tuple[InteractionType, dict[str, Any]]


def _status_change(value: Json) -> Change | None:
    status = STATUSES.get(word(value) or "")
    return ("status_changed", {"status": status, "source_status": word(value)}) if status is not None else None


def _priority_change(value: Json) -> Change | None:
    return ("priority_changed", {"priority": word(value)}) if word(value) else None


def _tags_change(value: Json) -> Change | None:
    return "tagged", {"tags": tuple(tag for tag in value if isinstance(tag, str)) if isinstance(value, list) else ()}


CHANGES: dict[str, Callable[[Json], Change | None]] = {
    "assignee_id": lambda value: ("assigned", {"agent": someone(value)}),
    "group_id": lambda value: ("assigned", {"team": someone(value)}),
    "organization_id": lambda _value: ("account_changed", {}),
    "priority": _priority_change,
    "requester_id": lambda _value: ("account_changed", {}),
    "status": _status_change,
    "tags": _tags_change,
}
"""What a changed field of a ticket means; null where the new value means nothing."""
