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

from collections.abc import Iterator, Sequence
from datetime import datetime
from hashlib import blake2b
from operator import attrgetter

from msgspec.json import Encoder

from schemas.interaction import Author, AuthorKind, Interaction
from streams.history.row_events import EventBody, EventDraft, RowOfHistory, Standing

_AUTHORS: dict[AuthorKind, Author] = {kind: Author(kind) for kind in ("customer", "agent", "bot", "system")}
_ID_BYTES = 12
"""96 bits: among a billion events of one conversation no two share an id by chance."""

_by_time = attrgetter("at")
_encode = Encoder().encode


def interactions_of(
    conversation: str, rows: Sequence[RowOfHistory], source: str, clock: str = "wall"
) -> list[Interaction]:
    """All events of a conversation, ordered by time; events of one instant keep the order of their rows and entries.

    Args:
        conversation: its id.
        rows: all of its rows, at least one, in file order. Exact repetitions may be among them: they yield equal ids,
            so each counts once.
        source: stamped on every event, for example `import:3f9a`.
        clock: what moves time for this conversation.
    """
    ordered = sorted(rows, key=_by_time) if len(rows) > 1 else rows
    drafts: list[EventDraft] = []
    said = _Said(ordered[0])
    for row in ordered:
        drafts.extend(said.differences(row))
        drafts.extend(row.drafts)
    if len(drafts) > 1:
        drafts.sort(key=_by_time)
    teller = _Teller(conversation, ordered[0].standing, source, clock)
    return [teller.tell(draft) for draft in drafts]


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
        if status is None or status in {"new", "open"}:
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


class _Teller:
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

    def tell(self, draft: EventDraft) -> Interaction:
        body = draft.body
        if body.type in _CHANGES:
            self._change(body)
        first = self._first
        return Interaction(
            id=body.id or _content_id(self._conversation, draft),
            source=self._source,
            conversation_id=self._conversation,
            occurred_at=draft.at,
            type=body.type,
            received_at=body.received_at,
            clock=self._clock,
            channel=first.channel or "other",
            author=_AUTHORS[body.author],
            visibility="public" if body.public else "internal",
            automated="mapped" if body.automated else None,
            text=body.text,
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
            status=body.status,
            metric=body.metric,
            due_at=body.due_at,
            into=body.into,
            kind=body.kind,
            score=body.score,
            scale=body.scale,
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


_CHANGES = frozenset({"account_changed", "priority_changed", "tagged", "assigned"})


def _content_id(conversation: str, draft: EventDraft) -> str:
    """The id of an event that its source gave none: what it says, where and when, whatever file it stands in."""
    digest = blake2b(_encode(draft.body), digest_size=_ID_BYTES)
    digest.update(f"\0{conversation}\0{draft.at.isoformat()}\0{draft.repeat or ''}".encode())
    return digest.hexdigest()
