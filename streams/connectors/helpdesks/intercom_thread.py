"""One Intercom conversation or ticket, and the canonical events that can be made of it.

The unit is the part: what an admin, a contact or a bot did once. Its id is the id of the event, so a message counts
once, however many notifications repeat it. `intercom_channel` decides which parts a notification is about.
"""

import re
from collections.abc import Iterable
from datetime import datetime
from typing import Any

from schemas.interaction import Author
from streams.connectors.connector_contract import Draft, Refused
from streams.connectors.drafting import Drafter
from streams.connectors.helpdesks.intercom_payload import (
    AUTHORS,
    CHANNELS,
    SENT_TO_MANY,
    STATUSES,
    identities_of,
    opening_of,
    parts_of,
    people_of,
    status_of_part,
    tags_of,
)
from streams.connectors.message_content import attachments_of, written_text
from streams.connectors.payload_reading import Json, at, flag, id_text, instant, number, required, table, text, word

NOBODY = frozenset({None, "0", "-1"})
STARS = 5.0
"""Conversations are rated with one of five faces."""

_INTERNAL = re.compile(r"note|summary|transcript")
"""In the types of parts that only the team reads: `note`, `note_and_reopen`, and since API 2.14 the `call_summary` that
Fin writes after a call (Intercom's OpenAPI description, "conversation_part")."""


class IntercomThread:
    """A conversation or ticket as it is after the event. A ticket has the id of the conversation behind it."""

    def __init__(self, drafter: Drafter, thread: dict[str, Any], place: str) -> None:
        self.thread = thread
        self.parts = parts_of(thread)
        found = id_text(thread, "id") or id_text(thread, "conversation_id")
        self.id = required(found, f"{place}.id")
        self._drafter = drafter
        self._people = list(people_of(thread))
        company = id_text(thread, "company_id") or id_text(thread, "company", "id")
        self.identities = identities_of(*self._people, company=company)

    # the people

    def author(self, written: Json) -> Author:
        """Who made a part. Intercom's word decides; the operator is a bot even where it is listed as an admin."""
        said = table(written, "author")
        kind = AUTHORS.get(word(said, "type") or "", "customer")
        address = text(said, "email") or ""
        if self.is_ai(said) or (address.startswith("operator+") and address.endswith("@intercom.io")):
            kind = "bot"
        if kind == "customer" and address and self._drafter.instance.is_own_address(address):
            kind = "agent"
        return self._drafter.author(kind, id_text(said, "id"))

    @staticmethod
    def is_ai(author: Json) -> bool:
        """Whether Fin answered."""
        return bool(flag(author, "is_ai_answer") or flag(author, "from_ai_agent"))

    def contact(self) -> Author:
        """The customer of this conversation, as far as known."""
        ids = (id_text(person, "id") for person in self._people)
        return self._drafter.author("customer", next((found for found in ids if found), None))

    # drafts

    def draft(self, event_id: str, type: str, at_time: datetime | None, author: Author, **words: Any) -> Draft:  # noqa: A002, ANN401 - contract fields
        """An interaction in this conversation, with the conversation as it is now."""
        thread = self.thread
        agent = id_text(thread, "admin_assignee_id") or self._assignee("admin")
        team = id_text(thread, "team_assignee_id") or self._assignee("team")
        channel = word(thread, "channel") or word(opening_of(thread), "type") or ""
        said: dict[str, Any] = {
            "channel": CHANNELS.get(channel),
            "agent": None if agent in NOBODY else agent,
            "team": None if team in NOBODY else team,
            "priority": word(thread, "priority"),
            "tags": tags_of(thread),
            "conversation_type": word(thread, "ticket_type", "name"),
            "identities": self.identities,
            "raw_reference": f"intercom:conversation:{self.id}",
        }
        return self._drafter.interaction(event_id, type, self.id, at_time, author, **(said | words))  # type: ignore[arg-type]  # one of the contract's words

    def _assignee(self, kind: str) -> str | None:
        return id_text(self.thread, "assignee", "id") if word(self.thread, "assignee", "type") == kind else None

    def message(self, written: Json, event_id: str, at_time: datetime | None, author: Author, **words: Any) -> Draft:  # noqa: ANN401 - contract fields
        """A message: a part with a body, or what the conversation began with."""
        automated = None
        if author.kind in {"bot", "system"}:
            automated = "ai_answer" if self.is_ai(table(written, "author")) else "bot"
        elif word(written, "delivered_as") in SENT_TO_MANY and author.kind == "agent":
            automated = "campaign"
        shown = None if flag(written, "redacted") else written_text(at(written, "body"))
        said = {
            "text": shown,
            "automated": automated,
            "attachments": attachments_of(written, "attachments"),
            "raw_reference": f"intercom:part:{event_id}",
        }
        return self.draft(event_id, "message", at_time, author, **(said | words))

    def opening(self) -> list[Draft]:
        """The message that the conversation began with."""
        source = opening_of(self.thread)
        if not source:
            return []
        author = self.author(source) if table(source, "author") else self.contact()
        event_id = id_text(source, "id") or f"{self.id}:opening"
        return [self.message(source, event_id, instant(self.thread, "created_at"), author)]

    def of_part(self, part: dict[str, Any]) -> list[Draft]:
        """What somebody did: wrote, noted, assigned, closed, several at once."""
        part_id, part_type = id_text(part, "id"), word(part, "part_type") or "comment"
        if part_id is None:
            return []
        at_time = instant(part, "created_at") or instant(part, "updated_at")
        author = self.author(part)
        made: list[Draft] = []
        if text(part, "body") or at(part, "attachments"):
            made.append(self.message(part, part_id, at_time, author, public=not _INTERNAL.search(part_type)))
        assignee = table(part, "assigned_to")
        if part_type == "assignment" or ("assign" in part_type and id_text(assignee, "id")):
            made.append(self.assigned(f"{part_id}:assigned", at_time, author, assignee))
        state = word(part, "ticket_state") if part_type.startswith("ticket_state") else status_of_part(part_type)
        changed = self.status(f"{part_id}:{state}", state, at_time, author) if state is not None else None
        return [*made, changed] if isinstance(changed, Draft) else made

    def of_parts(self, parts: Iterable[dict[str, Any]]) -> list[Draft]:
        """All parts in their order."""
        return [draft for part in parts for draft in self.of_part(part)]

    def assigned(self, event_id: str, at_time: datetime | None, author: Author, to: Json) -> Draft:
        """Whose it is now: an admin's, a team's or nobody's."""
        kind, found = word(to, "type"), id_text(to, "id")
        words: dict[str, Any] = {}
        if kind is not None:
            words = {"team": found} if kind == "team" else {"agent": None if kind == "nobody_admin" else found}
        return self.draft(event_id, "assigned", at_time, author, **words)

    def status(self, event_id: str, state: str, at_time: datetime | None, author: Author) -> Draft | Refused:
        """A change of state, with Intercom's own word beside ours."""
        status = STATUSES.get(state)
        if status is None:
            return Refused("not_understood", f"the state {state[:40]!r} is not known")
        return self.draft(event_id, "status_changed", at_time, author, status=status, source_status=state)

    def rating(self, *places: Json) -> list[Draft]:
        """A rating as a survey signal; nothing where none was given."""
        for place in places:
            value = number(place, "rating")
            if value is None or not 0 <= value <= STARS:
                continue
            at_time = instant(place, "created_at") or instant(self.thread, "updated_at")
            stamp = at_time.isoformat() if at_time else "unknown"
            return [
                self._drafter.signal(
                    f"{self.id}:rating:{stamp}",
                    "survey",
                    "csat",
                    value,
                    at_time,
                    identities=self.identities,
                    conversation=self.id,
                    scale=STARS,
                    text=written_text(at(place, "remark")),
                    raw_reference=f"intercom:conversation:{self.id}",
                )
            ]
        return []
