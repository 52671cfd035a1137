"""Who there is in a simulated company: customers with their tiers, channels and habits, and the teams that answer them.

Made from a seed alone. `conversation_script` lets these people talk; `floor_hours` says when they do.
"""

from dataclasses import dataclass
from random import Random

ACCOUNTS = 40
AGENTS_PER_TEAM = 12

_FIRST = ("Alder", "Birch", "Cedar", "Dune", "Ember", "Fjord", "Granite", "Harbour", "Iris", "Juniper")
_SECOND = ("Freight", "Bank", "Clinics", "Textiles", "Robotics", "Foods", "Energy", "Studios", "Travel", "Optics")

TIERS = (("platinum", 4), ("gold", 8), ("silver", 12), ("standard", 16))
"""Tiers with the number of accounts in each: few large customers, many small ones, as in any book of business."""

SEGMENT_OF_TIER = {"platinum": "enterprise", "gold": "enterprise", "silver": "mid-market", "standard": "small-business"}

VOLUME_OF_TIER = {"platinum": 5.0, "gold": 2.5, "silver": 1.2, "standard": 0.5}
"""How often an account of a tier writes, relative to the others: large customers have more people."""

CHANNELS_OF_TIER = {
    "platinum": (("slack", 4), ("email", 3), ("teams", 3), ("phone", 1)),
    "gold": (("email", 5), ("slack", 2), ("chat", 2), ("form", 1)),
    "silver": (("email", 5), ("chat", 3), ("form", 2)),
    "standard": (("email", 4), ("form", 3), ("chat", 2), ("social", 1)),
}

INBOXES = (("support", 6), ("billing", 2), ("onboarding", 1), ("integrations", 2))
"""What people write about, with its share. Every inbox is answered by the team of the same name."""

PRIORITIES = (("urgent", 6), ("high", 18), ("normal", 58), ("low", 18))


@dataclass(frozen=True, slots=True)
class CustomerAccount:
    """One customer. `volume` is how often it writes, relative to the others."""

    id: str
    name: str
    tier: str
    segment: str
    region: str
    volume: float
    people: tuple[str, ...]

    @property
    def domain(self) -> str:
        """Where its people have their addresses (RFC 2606 keeps `.example` free for this)."""
        return f"{self.id}.example"


@dataclass(frozen=True, slots=True)
class SimulatedCompany:
    """The customers, and the agents of each team."""

    accounts: tuple[CustomerAccount, ...]
    agents: dict[str, tuple[str, ...]]

    @property
    def most_valued(self) -> tuple[CustomerAccount, ...]:
        """The customers of the highest tier."""
        return tuple(account for account in self.accounts if account.tier == TIERS[0][0])


def found_company(seed: int) -> SimulatedCompany:
    """The company of a seed: the same seed, the same people."""
    rng = Random(f"company/{seed}")
    names = [(first, second) for first in _FIRST for second in _SECOND]
    rng.shuffle(names)
    tiers = [tier for tier, count in TIERS for _ in range(count)]
    accounts = tuple(_account(rng, *name, tier) for name, tier in zip(names[:ACCOUNTS], tiers, strict=True))
    teams = {inbox: tuple(f"{inbox}-{n:02}" for n in range(1, AGENTS_PER_TEAM + 1)) for inbox, _ in INBOXES}
    return SimulatedCompany(accounts, teams)


def _account(rng: Random, first: str, second: str, tier: str) -> CustomerAccount:
    people = rng.randint(2, 12)
    account_id = f"{first}-{second}".lower()
    return CustomerAccount(
        id=account_id,
        name=f"{first} {second}",
        tier=tier,
        segment=SEGMENT_OF_TIER[tier],
        region=rng.choice(("emea", "emea", "americas")),
        volume=VOLUME_OF_TIER[tier] * rng.uniform(0.6, 1.5),
        people=tuple(f"{account_id}-p{n}" for n in range(1, people + 1)),
    )


def choose(rng: Random, weighted: tuple[tuple[str, int], ...]) -> str:
    """One of several words, by their weights."""
    words, weights = zip(*weighted, strict=True)
    return str(rng.choices(words, weights)[0])
