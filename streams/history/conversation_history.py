"""The rows of one conversation as canonical interactions: who is first, what changed, and which id each event has.

Pure. Rows come gathered from `streams.history.conversations`; the interactions go to Kafka
(`streams.history.history_sender`) or straight to the engine (`careline policy run`). The rules, which
`examples/README.md` tells in prose:

- Rows count in the order of their time (the earliest event of a row; ties keep file order), not in the order of the
  file, because exports are rarely sorted. A row without any event has no time and is never the first.
- The first row says how the conversation stands. A later row that differs from what the rows before it said becomes a
  change event at the time of that row, before the row's own events: `account_changed` (with the new customer's tier,
  segment and contract), `priority_changed`, `assigned` (inbox, team, agent), `tagged`, `status_changed`. An empty
  value says nothing.
- `channel`, `type` and `language` have no event of change: what the first row says holds.
- Every event carries how the conversation stood when it happened.
"""

from collections.abc import Callable, Iterator, Sequence
from datetime import UTC, datetime
from hashlib import blake2b
from operator import attrgetter
from typing import Any, Generic, TypeVar

from msgspec.json import Encoder
from msgspec.structs import replace

from schemas.interaction import Author, AuthorKind, Interaction
from streams.history.row_events import EventBody, EventDraft, RowOfHistory, Standing

__all__ = ["HistoryTeller", "RowOfHistory", "interactions_of"]

_AUTHORS: dict[AuthorKind, Author] = {kind: Author(kind) for kind in ("customer", "agent", "bot", "system")}
_ID_BYTES = 12
"""96 bits: among a billion events of one conversation no two share an id by chance."""
_REMEMBERED = 16_384
"""Of how many bodies it is remembered what is made of them; beyond it that is made anew."""
_AS_ALL_BEGIN = frozenset({None, "new", "open"})

_by_time = attrgetter("at")
_encode = Encoder().encode


def interactions_of(
    conversation: str, rows: Sequence[RowOfHistory], source: str, clock: str = "wall"
) -> list[Interaction]:
    """All events of one conversation; see `HistoryTeller.interactions`."""
    return HistoryTeller(source, clock).interactions(conversation, rows)


class HistoryTeller:
    """States the rows of conversations as interactions, one conversation after another.

    Args:
        source: stamped on every event, for example `import:3f9a`.
        clock: what moves time for these conversations.
    """

    def __init__(self, source: str, clock: str = "wall") -> None:
        self._source = source
        self._clock = clock
        self._models = BodyModels(self._model)

    def interactions(self, conversation: str, rows: Sequence[RowOfHistory]) -> list[Interaction]:
        """All events of a conversation, ordered by time; those of one instant keep the order of rows and entries.

        Args:
            conversation: its id.
            rows: all of its rows in file order. Exact repetitions may be among them: they yield equal ids, so each
                counts once.
        """
        if not rows:
            return []
        ordered = in_order(rows)
        place = f"\0{conversation}\0".encode()
        if not is_steady(ordered):
            return self._step_by_step(conversation, ordered, place)
        common = said_of_all(conversation, ordered[0].standing)
        models = self._models
        told = []
        for draft in drafts_of(ordered):
            body = draft.body
            model, encoded = models.of(body)
            if body.type in CHANGES:
                return self._step_by_step(conversation, ordered, place)
            name = body.id or _content_id(encoded, place, draft)
            told.append(replace(model, id=name, occurred_at=draft.at, **common))
        return told

    def _step_by_step(self, conversation: str, ordered: Sequence[RowOfHistory], place: bytes) -> list[Interaction]:
        stand = _Stand(conversation, ordered[0].standing, self._source, self._clock)
        return [stand.tell(draft, place) for draft in _drafts_and_changes(ordered)]

    def _model(self, body: EventBody) -> Interaction:
        """An event with this body in no conversation."""
        return stated(body, **NOWHERE | {"source": self._source, "clock": self._clock, "channel": "other"})


Model = TypeVar("Model")


class BodyModels(Generic[Model]):
    """What is made of the bodies of events, made once of those that rows share.

    Those are known again by their identity; that they are kept here beside what was made of them keeps the identity
    from being given to another.
    """

    def __init__(self, make: Callable[[EventBody], Model]) -> None:
        self._make = make
        self._known: dict[int, tuple[Model, bytes, EventBody]] = {}

    def of(self, body: EventBody) -> tuple[Model, bytes]:
        """What is made of a body, and what the body says to ids."""
        known = self._known.get(id(body))
        if known is not None:
            return known[:2]
        model, encoded = self._make(body), _encode(body)
        if _is_shared(body):
            if len(self._known) >= _REMEMBERED:
                self._known.clear()
            self._known[id(body)] = model, encoded, body
        return model, encoded


def stated(body: EventBody, **around: Any) -> Interaction:  # noqa: ANN401 - fields of an interaction
    """An event with this body; `around` is what it says beyond, for one of no conversation `NOWHERE`."""
    return Interaction(
        **around,
        type=body.type,
        received_at=body.received_at,
        author=_AUTHORS[body.author],
        visibility="public" if body.public else "internal",
        automated="mapped" if body.automated else None,
        text=body.text,
        status=body.status,
        metric=body.metric,
        due_at=body.due_at,
        into=body.into,
        kind=body.kind,
        score=body.score,
        scale=body.scale,
    )


NOWHERE: dict[str, Any] = {
    "id": "",
    "source": "",
    "conversation_id": "",
    "occurred_at": datetime(1970, 1, 1, tzinfo=UTC),
}


def in_order(rows: Sequence[RowOfHistory]) -> Sequence[RowOfHistory]:
    """Rows in the order in which they count."""
    return sorted(rows, key=_by_time) if len(rows) > 1 else rows


def is_steady(ordered: Sequence[RowOfHistory]) -> bool:
    """Whether a conversation stands in all rows as in its first, so that none tells a change by how it differs."""
    first = ordered[0].standing
    return first.status in _AS_ALL_BEGIN and not any(row.standing is not first for row in ordered)


def _is_shared(body: EventBody) -> bool:
    """Whether other rows may hold the very same body: else it has something that is of one row."""
    return body.text is None and body.id is None and body.due_at is None and body.received_at is None


def said_of_all(conversation: str, standing: Standing) -> dict[str, Any]:
    """What all events of a conversation that stands like this say beyond their bodies."""
    common: dict[str, Any] = {"conversation_id": conversation}
    for name, said_of in _SAID_OF_CONVERSATION:
        value = getattr(standing, said_of)
        if value:
            common[name] = value
    return common


_SAID_OF_CONVERSATION = (
    ("channel", "channel"),
    ("account_id", "account"),
    ("tier", "tier"),
    ("segment", "segment"),
    ("contract", "contract"),
    ("language", "language"),
    ("inbox", "inbox"),
    ("team", "team"),
    ("agent", "agent"),
    ("conversation_type", "type"),
    ("priority", "priority"),
    ("tags", "tags"),
)
"""Fields of `Interaction` and of `Standing`, in the order of the former."""


def drafts_of(ordered: Sequence[RowOfHistory]) -> list[EventDraft]:
    """The events that the rows state themselves, in the order of time."""
    drafts: list[EventDraft] = []
    is_sorted = True
    for row in ordered:
        events = row.events
        if type(events) is EventBody:
            drafts.append(EventDraft(row.at, events))
        else:
            drafts += events  # type: ignore[arg-type]  # mypy does not narrow by `type`
            is_sorted = False
    return drafts if is_sorted else sorted(drafts, key=_by_time)


def _drafts_and_changes(ordered: Sequence[RowOfHistory]) -> list[EventDraft]:
    drafts: list[EventDraft] = []
    said = _Said(ordered[0])
    for row in ordered:
        drafts.extend(said.differences(row))
        drafts.extend(row.drafts)
    return sorted(drafts, key=_by_time)


class _Said:
    """What the rows so far have said, field by field."""

    def __init__(self, first: RowOfHistory) -> None:
        self._first: RowOfHistory | None = first
        self._last = first.standing
        self._known: dict[str, object] = dict(_stated(first.standing))
        self._changes: list[EventDraft] = []

    def differences(self, row: RowOfHistory) -> list[EventDraft]:
        """Change events for what a row says and no row before it has said."""
        if row is self._first:
            return self._initial_status(row)
        standing = row.standing
        if standing is self._last or standing == self._last:
            return []
        self._last = standing
        news = {name: value for name, value in _stated(standing) if self._known.get(name) != value}
        self._known.update(news)
        return [self._draft(row.at, body) for body in _change_bodies(standing, news)]

    def _initial_status(self, row: RowOfHistory) -> list[EventDraft]:
        """A conversation that begins on hold or closed says so by an event; to be new or open is how they all begin."""
        self._first = None
        status = row.standing.status
        if status in _AS_ALL_BEGIN:
            return []
        return [self._draft(row.at, EventBody(type="status_changed", status=status))]

    def _draft(self, at: datetime, body: EventBody) -> EventDraft:
        """There and back again within one instant is two changes, not one told twice."""
        draft = EventDraft(at, body, sum(known.at == at and known.body == body for known in self._changes))
        self._changes.append(draft)
        return draft


def _stated(standing: Standing) -> Iterator[tuple[str, object]]:
    for name in Standing.__struct_fields__:
        value = getattr(standing, name)
        if value:
            yield name, value


def _change_bodies(standing: Standing, news: dict[str, object]) -> Iterator[EventBody]:
    if "account" in news:
        yield EventBody(
            type="account_changed",
            account=standing.account,
            tier=standing.tier,
            segment=standing.segment,
            contract=standing.contract,
        )
    if "priority" in news:
        yield EventBody(type="priority_changed", priority=standing.priority)
    if not news.keys().isdisjoint({"inbox", "team", "agent"}):
        yield EventBody(type="assigned", inbox=standing.inbox, team=standing.team, agent=standing.agent)
    if "tags" in news:
        yield EventBody(type="tagged", tags=standing.tags)
    if "status" in news:
        yield EventBody(type="status_changed", status=standing.status)


class _Stand:
    """Walks along the events of a conversation, remembers how it stands, and states each event with that."""

    def __init__(self, conversation: str, first: Standing, source: str, clock: str) -> None:
        self._conversation = conversation
        self._first = first
        self._source = source
        self._clock = clock
        self._account = first.account
        self._tier, self._segment, self._contract = first.tier, first.segment, first.contract
        self._inbox, self._team, self._agent = first.inbox, first.team, first.agent
        self._priority = first.priority
        self._tags = first.tags or ()

    def tell(self, draft: EventDraft, place: bytes) -> Interaction:
        """An event; `place` is what ids say about its conversation."""
        body = draft.body
        if body.type in CHANGES:
            self._change(body)
        first = self._first
        return stated(
            body,
            id=body.id or _content_id(_encode(body), place, draft),
            source=self._source,
            conversation_id=self._conversation,
            occurred_at=draft.at,
            clock=self._clock,
            channel=first.channel or "other",
            account_id=self._account,
            tier=self._tier,
            segment=self._segment,
            contract=self._contract,
            language=first.language,
            inbox=self._inbox,
            team=self._team,
            agent=self._agent,
            conversation_type=first.type,
            priority=self._priority,
            tags=self._tags,
        )

    def _change(self, body: EventBody) -> None:
        match body.type:
            case "account_changed":
                self._account = body.account
                self._tier, self._segment, self._contract = body.tier, body.segment, body.contract
            case "priority_changed":
                self._priority = body.priority or self._priority
            case "tagged":
                self._tags = body.tags or ()
            case _:
                self._inbox = body.inbox or self._inbox
                self._team = body.team or self._team
                self._agent = body.agent or self._agent


CHANGES = frozenset({"account_changed", "priority_changed", "tagged", "assigned"})
"""Events after which a conversation stands otherwise."""


def _content_id(encoded_body: bytes, place: bytes, draft: EventDraft) -> str:
    """The id of an event that its source gave none: what it says, where and when, whatever file it stands in.

    It must never change, or importing a file again would count everything twice.
    """
    at = _encode(draft.at)[1:-2] + b"+00:00" if draft.at.tzinfo is UTC else draft.at.isoformat().encode()
    repeat = str(draft.repeat).encode() if draft.repeat else b""
    return blake2b(encoded_body + place + at + b"\0" + repeat, digest_size=_ID_BYTES).hexdigest()
