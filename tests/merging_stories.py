"""Stories about conversations that are merged into each other, each living in a partition of its own.

What one partition writes for another is carried there at once. Two policies promise different things, and to some
nothing is promised, so that a survivor does not always promise what an absorbed conversation was promised.
"""

from collections.abc import Iterator, Sequence
from datetime import timedelta
from itertools import permutations
from typing import Any

from hypothesis import strategies as st

from agents.domain.timeline import decode_state
from schemas.conversation_state import ConversationState
from schemas.interaction import Interaction
from schemas.policy import Condition, Policy, PolicyFile
from schemas.sla_event import SlaEvent
from schemas.topics import INTERACTIONS
from tests.conversation_stories import MONDAY, OFFICE, Desk, event, policy, target

TARGETS = (target("first_resolution", "8:00"), target("total_resolution", "8:00"))


def two_policies() -> PolicyFile:
    """Mail is promised everything, and is held to it; chats only some of it, with other targets; others nothing."""
    mail = {"first_resolution": "5:00", "first_response": "2:00", "group_ownership": "2:00", "next_response": "1:00"}
    chat = {"first_resolution": "12:00", "next_response": "4:00", "total_resolution": "3:00"}
    policies = tuple(
        Policy(
            id=channel,
            when=Condition({"channel": (channel,)}),
            calendar="office",
            targets={metric: target(metric, allowed) for metric, allowed in promised.items()},
        )
        for channel, promised in (("email", mail), ("chat", chat))
    )
    return PolicyFile(version="1", calendars={"office": OFFICE}, policies=policies)


class Partitions:
    """A desk for each conversation; what is written into the interactions goes to its conversation's desk."""

    def __init__(self, *conversations: str, policy_file: PolicyFile | None = None) -> None:
        self.desks = {name: Desk(policy_file or policy(TARGETS)) for name in conversations}
        self._carried = dict.fromkeys(conversations, 0)
        self.carried = 0

    def take(self, conversation: str, *events: Interaction) -> "Partitions":
        """Something happens in a conversation; whatever it has to tell others is carried to them."""
        self.desks[conversation].take(*events)
        while self._carry():
            assert self.carried < 200, "a record goes round for ever"
        return self

    def _carry(self) -> bool:
        moved = False
        for name, desk in list(self.desks.items()):
            written = [each for each in desk.effects.on(INTERACTIONS) if isinstance(each, Interaction)]
            for each in written[self._carried[name] :]:
                self._carried[name] += 1
                self.carried += 1
                self.desks[each.conversation_id].take(each)
                moved = True
        return moved

    def clocks(self, conversation: str, *metrics: str) -> list[str]:
        """The clocks of a conversation as lines."""
        return [line for line in self.desks[conversation].clocks() if line.split("/")[0] in metrics]

    def state(self, conversation: str) -> ConversationState:
        """What its partition remembers of a conversation."""
        return decode_state(self.desks[conversation].states.states[conversation])

    def told(self) -> Iterator[SlaEvent]:
        """Everything that was said to accounts; what is said of one conversation in its order."""
        for desk in self.desks.values():
            yield from desk.events


def said(conversation: str, at: str, what: str, value: Any = None) -> Interaction:
    """`said("a", "09:00", "customer")`."""
    return event(at, what, value, conversation_id=conversation)


NAMES = ("a", "b", "c", "d")
ANY_MERGES = tuple(permutations(NAMES, 2))


@st.composite
def merging_stories(draw: st.DrawFn, merges: Sequence[tuple[str, str]] = ANY_MERGES) -> Sequence[Interaction]:
    """Some conversations in which things are said, held and closed, and that are merged: in chains, circles, anew."""
    told = []
    about = {name: draw(st.sampled_from(("email", "email", "chat", "phone"))) for name in NAMES}
    for minute in sorted(draw(st.lists(st.integers(540, 2520), min_size=2, max_size=16, unique=True))):
        name = draw(st.sampled_from(NAMES))
        what, value = draw(
            st.sampled_from(
                [
                    ("customer", None),
                    ("customer", None),
                    ("agent", None),
                    ("agent", None),
                    ("status", "on_hold"),
                    ("status", "closed"),
                    ("assigned", {"team": "billing"}),
                    *(("merged", other) for absorbed, other in merges if absorbed == name),
                ]
            )
        )
        account = {"account_id": f"account {name}"} if what == "customer" else {}
        at = MONDAY + timedelta(minutes=minute)
        told.append(event(at, what, value, conversation_id=name, channel=about[name], **account))
    return told
