"""One contact of Amazon Connect, and what each step of its life means.

Sources: Amazon Connect Administrator Guide, "Contact events" and "Contact records data model". Keys are spelled in
upper and lower case, so they are read in lower case; new ones come at any time, so only what is needed is read. A
contact that is transferred goes on under a new id and names the first one, which is the conversation.
`amazon_connect_channel` finds contacts in what is sent.
"""

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

from schemas.interaction import Author, AuthorKind, InteractionType, Status
from streams.connectors.connector_contract import Draft, Ignored, Reading, Refused
from streams.connectors.drafting import Drafter
from streams.connectors.payload_reading import Json, id_text, instant, required, table, text, word
from streams.connectors.phone_calls import PhoneCall
from streams.connectors.phone_numbers import caller_of, phone_identities

CHANNELS = {"voice": "phone", "chat": "chat", "email": "email"}
LIVE = frozenset({"voice", "chat"})
"""Somebody waits at the other end: such a contact is taken as a call is. Mails and tasks are assigned."""

OURS = frozenset({"outbound", "callback", "agent_reply", "flow"})
"""Ways to begin that are the company's doing; calls by its API are, too."""
GOES_ON = frozenset({"transfer", "queue_transfer", "disconnect"})
"""Ways to begin that go on with a contact that exists already."""
BESIDE = frozenset({"monitor", "external_outbound"})
"""A supervisor who listens, a third party who is asked: they join a contact of somebody else's."""

STEPS = ("initiated", "queued", "connected_to_agent", "disconnected")
TIMES = {
    "initiated": ("", "initiationtimestamp"),
    "queued": ("queue", "enqueuetimestamp"),
    "connected_to_agent": ("agent", "connectedtoagenttimestamp"),
    "disconnected": ("", "disconnecttimestamp"),
    "paused": ("", "lastpausedtimestamp"),
    "resumed": ("", "lastresumedtimestamp"),
}
"""Where the time of a step stands."""

WITHOUT_EFFECT = frozenset(
    {"connected_to_system", "contact_data_updated", "amd_disabled", "webrtc_api", "hold", "unhold", "transferred"}
)
WHO_LEFT: dict[str, AuthorKind] = {"customer_disconnect": "customer", "agent_disconnect": "agent"}


NOT_YET = datetime(1971, 1, 1, tzinfo=UTC)


class Contact:
    """One contact, as an event or a record has it."""

    def __init__(self, drafter: Drafter, said: Json, sent_at: datetime | None) -> None:
        """`sent_at` is when the event was sent, which stands for the time of a step that has none.

        Raises:
            Malformed: there is no id.
        """
        said = lowered(said)
        self._drafter = drafter
        self._sent_at = sent_at
        self._parts = {
            "": said,
            "queue": lowered(table(said, "queueinfo") or table(said, "queue")),
            "agent": lowered(table(said, "agentinfo") or table(said, "agent")),
        }
        described = id_text(said, "id") if "channel" in said else None
        self._id = required(id_text(said, "contactid") or described, "$.contactId")
        self.event = word(said, "eventtype")
        self._channel = word(said, "channel") or "voice"
        # AWS's own sample of a flow's event writes all the choices; the first is as good as any.
        self._method = (word(said, "initiationmethod") or "inbound").partition("/")[0]
        self._inbound = self._method not in OURS and (self._method, self._channel) != ("api", "voice")
        self._conversation = id_text(said, "initialcontactid") or self._id
        self._customer = caller_of(text(lowered(table(said, "customerendpoint")), "address"))
        self._agent, self._queue = (_id_in(self._parts[part]) for part in ("agent", "queue"))
        self._call = PhoneCall(
            drafter,
            self._id,
            inbound=self._inbound,
            customer=self._customer,
            agent=self._agent,
            conversation=self._conversation,
            channel=CHANNELS.get(self._channel, "other"),
            team=self._queue,
        )

    def told(self, step: str) -> Draft | Ignored | Refused:
        """What one step means."""
        happened = self._time_of(step) or self._sent_at
        if self._method in BESIDE:
            return Ignored("without_effect")
        if step in WITHOUT_EFFECT or (step == "initiated" and self._method in GOES_ON):
            return Ignored("without_effect")
        if step == "disconnected" and id_text(self._parts[""], "nextcontactid"):
            return Ignored("in_progress")
        if step == "completed":
            # Also what is written after the talk is written now; for who was talked to it was over before.
            return Ignored("without_effect") if self._channel in LIVE else self._status("closed", step, happened)
        does = (_LIVE if self._channel in LIVE else _ASSIGNED).get(step)
        if does is None:
            return Refused("not_understood", f"the event type {step[:80]!r} is not known")
        return does(self, happened)

    def recorded(self) -> Reading:
        """What a record means: every step that it has a time for; that it began needs none."""
        passed = [step for step in STEPS if step == "initiated" or self._time_of(step) is not None]
        return [self.told(step) for step in passed]

    def _time_of(self, step: str) -> datetime | None:
        part, key = TIMES.get(step, ("", "timestamp"))
        moment = instant(self._parts[part], key)
        # AWS writes the first millisecond of 1970 for what has not happened.
        return moment if moment is not None and moment > NOT_YET else None

    # steps

    def _began(self, at: datetime | None) -> Draft:
        return self._call.started(at)

    def _came(self, at: datetime | None) -> Draft:
        """A mail is a message of whoever began it; a task is work that nobody wrote."""
        if self._channel != "email":
            return self._status("new", "initiated", at)
        if self._method == "flow":
            return self._event("message", "initiated", at, Author("bot"), automated="trigger")
        author = self._drafter.author("customer", self._customer) if self._inbound else Author("agent", self._agent)
        return self._event("message", "initiated", at, author)

    def _queued(self, at: datetime | None) -> Draft:
        return self._event("assigned", "queued", at, Author("system"), team=self._queue)

    def _given(self, at: datetime | None) -> Draft:
        return self._event("assigned", "assigned", at, Author("system"), team=self._queue, agent=self._agent)

    def _taken(self, at: datetime | None) -> Draft:
        """By an agent, whichever way the contact began: only agents are told of."""
        return self._call.answered(at, "agent")

    def _left(self, at: datetime | None) -> Draft:
        reason = word(self._parts[""], "disconnectreason")
        return self._call.ended(at, WHO_LEFT.get(reason or "", "system"), source_status=reason)

    def _closed(self, at: datetime | None) -> Draft:
        return self._status("closed", "disconnected", at)

    def _paused(self, at: datetime | None) -> Draft:
        return self._status("on_hold", "paused", at)

    def _resumed(self, at: datetime | None) -> Draft:
        return self._status("open", "resumed", at)

    def _status(self, status: Status, step: str, at: datetime | None) -> Draft:
        # A contact can pause more than once: the time tells the times apart.
        said = f"{step}:{at.timestamp():.0f}" if at is not None and step in {"paused", "resumed"} else step
        return self._event("status_changed", said, at, Author("system"), status=status, source_status=step)

    def _event(
        self,
        kind: InteractionType,
        step: str,
        at: datetime | None,
        author: Author,
        **words: Any,  # noqa: ANN401 - contract fields
    ) -> Draft:
        return self._drafter.interaction(
            f"{self._id}:{step}",
            kind,
            self._conversation,
            at,
            author,
            identities=phone_identities(self._customer),
            channel=CHANNELS.get(self._channel, "other"),
            **words,
        )


_Step = Callable[[Contact, datetime | None], Draft]

_LIVE: dict[str, _Step] = {
    "initiated": Contact._began,  # noqa: SLF001 - a table of this class's own methods
    "queued": Contact._queued,  # noqa: SLF001
    "connected_to_agent": Contact._taken,  # noqa: SLF001
    "disconnected": Contact._left,  # noqa: SLF001
    "paused": Contact._paused,  # noqa: SLF001
    "resumed": Contact._resumed,  # noqa: SLF001
}
_ASSIGNED: dict[str, _Step] = {
    "initiated": Contact._came,  # noqa: SLF001
    "queued": Contact._queued,  # noqa: SLF001
    "connected_to_agent": Contact._given,  # noqa: SLF001
    "disconnected": Contact._closed,  # noqa: SLF001
    "paused": Contact._paused,  # noqa: SLF001
    "resumed": Contact._resumed,  # noqa: SLF001
}


def lowered(said: Json) -> dict[str, Json]:
    """An object with its keys in lower case; an empty one for anything else."""
    return {key.lower(): value for key, value in said.items()} if isinstance(said, dict) else {}


def _id_in(part: Json) -> str | None:
    """The id of an agent or a queue: the last part of its ARN."""
    arn = next((found for key in ("agentarn", "queuearn", "arn", "id") if (found := id_text(part, key))), None)
    return arn.rpartition("/")[2] or None if arn else None
