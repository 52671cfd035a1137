"""What happened in a Zendesk, told in two ways: as its webhooks tell it, and as its API keeps it.

The shapes are those of Zendesk's developer documentation ("Ticket events", "Ticket Audits", "Incremental Exports");
`tests/property/test_zendesk_same_events.py` draws facts, `tests/fake_zendesk.py` serves them.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

REQUESTER, AGENT, ORGANISATION = 42, 70, 9
BEGINNING = datetime(2026, 3, 2, 9, 0, tzinfo=UTC)
WEBHOOK_OF = {
    "status": "ticket.status_changed",
    "priority": "ticket.priority_changed",
    "assignee_id": "ticket.agent_assignment_changed",
    "group_id": "ticket.group_assignment_changed",
    "tags": "ticket.tags_changed",
    "organization_id": "ticket.organization_changed",
    "satisfaction_score": "ticket.csat_received",
}
FRESH: dict[str, Any] = {
    "status": "new",
    "priority": None,
    "assignee_id": None,
    "group_id": None,
    "tags": [],
    "type": "question",
    "brand_id": 1,
    "organization_id": ORGANISATION,
    "requester_id": REQUESTER,
}


@dataclass(frozen=True)
class Update:
    """One update of a ticket: who, when, what was written, which fields took which values."""

    seconds: int
    actor: int
    text: str | None = None
    public: bool = True
    changes: dict[str, Any] = field(default_factory=dict)

    @property
    def at(self) -> datetime:
        return BEGINNING + timedelta(seconds=self.seconds)


@dataclass(frozen=True)
class TicketFacts:
    """A ticket from its opening on; the first update says how it began."""

    number: int
    updates: list[Update]
    channel: str = "email"

    @property
    def states(self) -> Iterator[tuple[Update, dict[str, Any]]]:
        """Each update with the ticket after it."""
        state = dict(FRESH)
        for update in self.updates:
            state = state | {key: value for key, value in update.changes.items() if key in FRESH}
            yield update, state

    def webhooks(self) -> Iterator[dict[str, Any]]:
        """Every event that Zendesk sends about it."""
        for step, (update, state) in enumerate(self.states):
            kinds: list[tuple[str, dict[str, Any]]] = [("ticket.created", {})] if step == 0 else []
            if update.text is not None:
                author = {"id": str(update.actor), "is_staff": update.actor == AGENT, "name": "N"}
                comment = {"id": str(self._comment(step)), "body": update.text, "is_public": update.public}
                kinds.append(("ticket.comment_added", {"comment": comment | {"author": author}}))
            for name, value in update.changes.items() if step else ():
                if name in WEBHOOK_OF:
                    kinds.append((WEBHOOK_OF[name], _change(name, value)))
            for place, (kind, change) in enumerate(kinds):
                yield {
                    "account_id": 1,
                    "id": f"ev-{self.number}-{step}-{place}",
                    "time": _instant(update.at),
                    "type": f"zen:event-type:{kind}",
                    "subject": f"zen:ticket:{self.number}",
                    "zendesk_event_version": "2022-11-06",
                    "detail": self._detail(update, state),
                    "event": change,
                }

    def _detail(self, update: Update, state: dict[str, Any]) -> dict[str, Any]:
        upper = {key: state[key].upper() if state[key] else None for key in ("status", "priority", "type")}
        ids = {key: str(state[key]) if state[key] else None for key in state if key.endswith("_id")}
        first = self.updates[0]
        return {
            "id": str(self.number),
            "actor_id": str(update.actor),
            "created_at": _instant(first.at),
            "updated_at": _instant(update.at),
            "description": first.text,
            "is_public": first.public,
            "submitter_id": str(first.actor),
            "tags": state["tags"],
            "via": {"channel": self.channel},
        } | upper | ids  # fmt: skip

    def ticket(self) -> dict[str, Any]:
        """The ticket as the API has it now."""
        *_, (last, state) = self.states
        first = self.updates[0]
        return state | {
            "id": self.number,
            "url": f"https://acme.zendesk.com/api/v2/tickets/{self.number}.json",
            "created_at": _instant(first.at),
            "updated_at": _instant(last.at),
            "description": first.text,
            "submitter_id": first.actor,
            "via": {"channel": self.channel},
        }

    def audits(self) -> list[dict[str, Any]]:
        """Every update as the API keeps it."""
        return [self._audit(step, update) for step, update in enumerate(self.updates)]

    def _audit(self, step: int, update: Update) -> dict[str, Any]:
        base = self._comment(step)
        told: list[dict[str, Any]] = []
        if update.text is not None:
            comment = {"id": base, "type": "Comment", "author_id": update.actor, "body": update.text}
            told.append(comment | {"public": update.public})
        if step == 0:
            fields = {key: value for key, value in (FRESH | update.changes).items() if value}
            told += [
                {"id": base + place, "type": "Create", "field_name": name, "value": _stored(value)}
                for place, (name, value) in enumerate(fields.items(), start=1)
            ]
        else:
            told += [
                {"id": base + place, "type": "Change", "field_name": name, "value": _stored(value)}
                for place, (name, value) in enumerate(update.changes.items(), start=1)
            ]
        return {
            "id": base + 50,
            "ticket_id": self.number,
            "created_at": _instant(update.at),
            "author_id": update.actor,
            "via": {"channel": "rule" if update.actor == -1 else self.channel},
            "events": told,
        }

    def _comment(self, step: int) -> int:
        return self.number * 100_000 + step * 100


def _change(name: str, value: Any) -> dict[str, Any]:
    if name == "satisfaction_score":
        return {"satisfaction_score": {"score": value.upper(), "comment": None}}
    if name == "tags":
        return {"tags_added": value}
    return {"current": value.upper() if name in {"status", "priority"} else value and str(value)}


def _stored(value: Any) -> Any:
    return str(value) if isinstance(value, int) else value


def _instant(moment: datetime) -> str:
    return moment.strftime("%Y-%m-%dT%H:%M:%SZ")


PEOPLE = [{"id": REQUESTER, "role": "end-user", "name": "Jo"}, {"id": AGENT, "role": "agent", "name": "Andy"}]
