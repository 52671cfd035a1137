"""Stories for the laws of the care figures: conversations, surveys and subscriptions of some accounts, as threads."""

from typing import Any

from hypothesis import strategies as st
from msgspec.structs import replace

from agents.domain.instant import DAY_US, Instant, to_datetime
from schemas.signal import Signal
from tests.account_stories import END, Event, instants, set_back, sla_event

ACCOUNTS = ("acme", "globex", "initech")
METRICS = ("first_response", "first_resolution", "follow_up", "legal_review")

labels = st.fixed_dictionaries(
    {
        "channel": st.sampled_from(("email", "chat")),
        "team": st.sampled_from((None, "billing")),
        "tier": st.sampled_from((None, "gold")),
        "agent": st.sampled_from((None, "ann", "bob")),
    }
)


def elapsed(since: Instant, until: Instant) -> dict[str, Any]:
    """How long a clock has run: half of the time was open."""
    return {"elapsed_seconds": (until - since) / 2e6, "wall_elapsed_seconds": (until - since) / 1e6}


@st.composite
def clock_life(draw: st.DrawFn, number: int, account: str) -> list[Event]:
    """A clock from its activation to wherever it has come, decided, answered, revised or taken back."""
    began, due, later, latest = sorted(draw(instants) for _ in range(4))
    common: dict[str, Any] = {"conversation": f"c{number}", "metric": draw(st.sampled_from(METRICS)), "instance": 1}
    common |= {"account_id": account, "started_at": to_datetime(began)} | set_back(due) | draw(labels)
    met = sla_event("met", due, **common, outcome="met", satisfied_at=to_datetime(due), **elapsed(began, due))
    broken = sla_event("breached", due, **common, breached_at=to_datetime(due), **elapsed(began, due))
    begin = sla_event("activated", began, **common)
    # Whoever looks after the conversation by then has nothing to do with what was decided before.
    common |= draw(labels)
    answered: dict[str, Any] = {"satisfied_at": to_datetime(later), "breached_at": to_datetime(due)}
    late = sla_event("satisfied_late", later, **common, **answered, **elapsed(began, later))
    back = common | {"previous_decided_at": to_datetime(due)}
    kept: dict[str, Any] = {"outcome": "met", "previous_outcome": "breached", "satisfied_at": to_datetime(due)}
    revived = kept | {"previous_outcome": "cancelled"}
    lives: tuple[list[Event], ...] = (
        [begin],
        [begin, met],
        [begin, broken],
        [begin, broken, late],
        [begin, sla_event("cancelled", later, **common, previous_outcome="open")],
        [
            begin,
            sla_event("cancelled", later, **common, previous_outcome="open"),
            sla_event("outcome_revised", latest, **common, **revived, **elapsed(began, due)),
        ],
        [begin, broken, sla_event("merged", later, **common, previous_outcome="breached")],
        [begin, met, sla_event("merged", latest, **back, previous_outcome="met")],
        [begin, broken, late, sla_event("merged", latest, **back, previous_outcome="satisfied_late")],
        [begin, met, sla_event("retracted", latest, **back, previous_outcome="met")],
        [begin, broken, late, sla_event("retracted", latest, **back, previous_outcome="satisfied_late")],
        [begin, broken, sla_event("outcome_revised", latest, **back, **kept, **elapsed(began, due))],
    )
    return draw(st.sampled_from(lives))


@st.composite
def talk(draw: st.DrawFn, number: int, account: str) -> list[Event]:
    """What happens to a conversation apart from its promises."""
    kinds = draw(
        st.lists(st.sampled_from(("customer", "agent", "bot", "resolved", "reopened", "escalated")), max_size=9)
    )
    at, common = draw(instants), {"account_id": account, **draw(labels), "agent": None}
    found: list[Event] = [sla_event("opened", at, f"t{number}", **common)]
    for place, kind in enumerate(kinds):
        at = min(END, at + draw(st.integers(0, 2 * DAY_US)))
        is_contact = kind in {"customer", "agent", "bot"}
        fact = sla_event("contact" if is_contact else kind, at, f"t{number}", **common)
        way = draw(st.sampled_from((None, "email", "chat", "phone"))) if is_contact else None
        said = {"author_kind": kind if is_contact else None, "by_channel": way}
        found.append(replace(fact, id=f"{fact.id}/{place}", **said))
    return found


@st.composite
def answers(draw: st.DrawFn, number: int, account: str) -> list[Event]:
    """An answer to a survey, perhaps corrected."""
    name, scale = draw(st.sampled_from((("csat", 5.0), ("nps", 10.0), ("ces", 7.0))))
    known: dict[str, Any] = {"id": f"s{number}", "account_id": account, "source": "test", "kind": "survey"}
    known |= {"name": name, "scale": scale, "occurred_at": to_datetime(draw(instants))}
    known |= {"conversation_id": draw(st.sampled_from((None, "t0")))}
    known |= draw(st.sampled_from(({}, {"channel": "chat", "team": "billing", "agent": "ann"})))
    values = draw(st.lists(st.integers(1, 5 if name == "csat" else 7), min_size=1, max_size=2))
    return [Signal(**known, value=value, version=version) for version, value in enumerate(values)]


@st.composite
def subscription(draw: st.DrawFn, number: int, account: str) -> list[Event]:
    """One thing that is said of a subscription."""
    name = draw(st.sampled_from(("mrr", "started", "cancelled", "plan")))
    known: dict[str, Any] = {"id": f"b{number}", "account_id": account, "source": "test", "kind": "subscription"}
    value = float(draw(st.sampled_from((0, 100, 250)))) if name == "mrr" else 1.0
    # Two of one instant are ordered by their ids' checksums, which says nothing.
    at = to_datetime(draw(instants) + number)
    return [Signal(**known, name=name, value=value, text="EUR", occurred_at=at)]


@st.composite
def care_threads(draw: st.DrawFn) -> list[list[Event]]:
    """Threads of all accounts; each is in order, and all are of one account."""
    kinds = draw(st.lists(st.sampled_from((clock_life, talk, answers, subscription)), max_size=14))
    return [draw(kind(number, draw(st.sampled_from(ACCOUNTS)))) for number, kind in enumerate(kinds)]
