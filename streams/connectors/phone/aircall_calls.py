"""What Aircall tells of a call, and of a text message.

Source: Aircall developer documentation, "Call events" and "Message events". The call's id is the conversation; the
events of one call tell its whole state each time, so ids follow from what happened and not from the delivery.
`aircall_channel` brings them here.
"""

from collections.abc import Iterable
from datetime import datetime
from typing import Any

from schemas.interaction import Attachment, Author, InteractionType
from streams.connectors.connector_contract import Draft, Ignored, Reading, Refused
from streams.connectors.drafting import Drafter
from streams.connectors.payload_reading import Json, id_text, instant, items, required, tables, text, word
from streams.connectors.phone_calls import PhoneCall
from streams.connectors.phone_numbers import caller_of, person_of, phone_identities, text_thread

WITHOUT_EFFECT = frozenset(
    {
        "agent_declined",
        "archived",
        "comm_assets_generated",
        "external_transferred",
        "hold",
        "ivr_option_selected",
        "ringing_on_agent",
        "unarchived",
        "unhold",
        "unsuccessful_transfer",
    }
)
"""Events of calls that move no promise."""


class AircallCall:
    """A call as an event or the API has it."""

    def __init__(self, drafter: Drafter, data: Json, sent_at: datetime | None) -> None:
        """`sent_at` is when the event was made, which stands for a time that the call does not have.

        Raises:
            Malformed: the call has no id.
        """
        self._id = required(id_text(data, "id"), "$.data.id")
        self._data, self._sent_at, self._drafter = data, sent_at, drafter
        inbound = word(data, "direction") != "outbound"
        people = [*tables(data, "participants"), *tables(data, "conference_participants")]
        number = text(data, "raw_digits") or _first(people, "external", "phone_number")
        # Whoever is a participant of a call that came in may only have been rung.
        self._agent = id_text(data, "user", "id") or (None if inbound else _first(people, "user", "id"))
        contact = id_text(data, "contact", "id")
        self._customer = caller_of(number) or contact
        self._identities = (*phone_identities(number), *((f"aircall_contact:{contact}",) if contact else ()))
        tags = (text(tag, "name") for tag in tables(data, "tags"))
        self._words: dict[str, Any] = {
            "inbox": id_text(data, "number", "id"),
            "tags": tuple(tag for tag in tags if tag),
        }
        self._call = PhoneCall(
            drafter,
            self._id,
            inbound=inbound,
            customer=self._customer,
            agent=self._agent,
            identities=self._identities,
            **self._words,
        )

    def told(self, what: str) -> Reading:
        """What an event means."""
        told: Reading = [Ignored("without_effect")]
        match what:
            case "created":
                told = [self._call.started(self._time("started_at"))]
            case "answered":
                told = [self._call.answered(self._time("answered_at"))]
            case "hungup" | "ended":
                told = [self._ended()]
            case "voicemail_left":
                told = [self._voicemail()]
            case "commented":
                told = self._comments() or told
            case "tagged" | "untagged":
                by = Author("agent" if self._agent else "system", self._agent)
                told = [self._event("tagged", self._said(what), by)]
            case "assigned" | "transferred":
                told = [self._assigned(what)]
            case _ if what not in WITHOUT_EFFECT:
                told = [Refused("not_understood", f"the event call.{what[:80]} is not known")]
        return told

    def recorded(self) -> Reading:
        """What a call of the API means: all of it that has happened."""
        events = [self._call.started(instant(self._data, "started_at"))]
        if instant(self._data, "answered_at") is not None:
            events.append(self._call.answered(instant(self._data, "answered_at")))
        if instant(self._data, "ended_at") is not None:
            events.append(self._ended())
        if text(self._data, "voicemail"):
            events.append(self._voicemail())
        return [*events, *self._comments()]

    def _time(self, name: str) -> datetime | None:
        return instant(self._data, name) or self._sent_at

    def _said(self, what: str) -> str:
        """What can happen more than once is told apart by its time."""
        return f"{what}:{self._sent_at.timestamp():.0f}" if self._sent_at is not None else what

    def _ended(self) -> Draft:
        reason = word(self._data, "missed_call_reason") or word(self._data, "hangup_cause")
        return self._call.ended(self._time("ended_at"), source_status=reason or word(self._data, "status"))

    def _voicemail(self) -> Draft:
        """What the caller says to the machine waits for an answer as a message does."""
        author = self._drafter.author("customer", self._customer)
        recording = (Attachment(name="voicemail", media_type="audio"),)
        return self._event("message", "voicemail", author, at=self._time("ended_at"), attachments=recording)

    def _comments(self) -> list[Draft]:
        """Every event has all comments that there are so far."""
        return [self._comment(place, comment) for place, comment in enumerate(tables(self._data, "comments"))]

    def _comment(self, place: int, comment: Json) -> Draft:
        person = id_text(comment, "posted_by", "id") or self._agent
        return self._event(
            "message",
            f"comment:{id_text(comment, 'id') or place}",
            Author("agent", person),
            at=instant(comment, "posted_at") or self._sent_at,
            text=text(comment, "content"),
            public=False,
        )

    def _assigned(self, what: str) -> Draft:
        to = id_text(self._data, "assigned_to", "id") or id_text(self._data, "transferred_to", "id") or self._agent
        team = next((found for each in tables(self._data, "teams") if (found := id_text(each, "id"))), None)
        return self._event("assigned", self._said(what), Author("system"), agent=to, team=team)

    def _event(
        self,
        kind: InteractionType,
        what: str,
        author: Author,
        at: datetime | None = None,
        **words: Any,  # noqa: ANN401 - contract fields
    ) -> Draft:
        return self._drafter.interaction(
            f"{self._id}:{what}",
            kind,
            self._id,
            at or self._sent_at,
            author,
            identities=self._identities,
            **({"agent": self._agent} | self._words | words),
        )


def text_message(drafter: Drafter, data: Json, what: str, sent_at: datetime | None) -> Draft | Ignored | Refused:
    """What an event of a message means. A thread is two numbers on one channel, or a group."""
    if what not in {"sent", "received"}:
        known = what in {"status_updated", "updated"}
        return Ignored("receipt") if known else Refused("not_understood", f"message.{what[:80]} is not known")
    message_id = required(id_text(data, "id"), "$.data.id")
    contact = id_text(data, "contact", "id")
    number = (
        text(data, "external_number")
        or text(data, "raw_digits")
        or _first([*tables(data, "participants")], None, "phone_number")
    )
    group = id_text(data, "group_conversation_id")
    theirs = required(group or number or contact, "$.data.external_number")
    channel = word(data, "channel") or "sms"
    ours = text(data, "number", "digits") or id_text(data, "number", "id")
    author = drafter.author("customer", person_of(number) or contact)
    return drafter.interaction(
        message_id,
        "message",
        theirs if group else text_thread(channel, person_of(ours), person_of(theirs)),
        instant(data, "sent_at") or instant(data, "created_at") or sent_at,
        author if what == "received" else Author("agent", id_text(data, "user", "id")),
        identities=phone_identities(number),
        channel="whatsapp" if channel == "whatsapp" else "sms",
        text=text(data, "body") or text(data, "content") or text(data, "text"),
        attachments=(Attachment(),) * len([url for url in items(data, "media_url") if isinstance(url, str)]),
        inbox=id_text(data, "number", "id"),
    )


def _first(people: Iterable[Json], kind: str | None, name: str) -> str | None:
    """The first thing of this name among participants of a kind."""
    found = (id_text(person, name) for person in people if kind is None or word(person, "type") == kind)
    return next((value for value in found if value), None)
