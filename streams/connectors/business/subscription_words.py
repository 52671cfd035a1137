"""What a subscription signal is called, whoever tells it, and the unit of its value: one table for this room.

`stripe_subscription` and `stripe_payments` tell most of them; plans and seats also stand in the traits of product
analytics and in the fields of a CRM, which `subscription_traits` reads. `docs/connectors.md` shows the same table.
"""

import re
from collections.abc import Iterator, Mapping
from datetime import datetime
from typing import NamedTuple

from streams.connectors.payload_reading import Json, id_text, instant, number

SUBSCRIPTION_WORDS: dict[str, str] = {
    "plan": "no value; the text is the plan's name",
    "mrr": "recurring revenue of a month in major units of the currency, which is the text (12.5, `usd`)",
    "seats": "how many are paid for",
    "renewal_at": "when it renews, in seconds since 1970; the text says it in ISO 8601",
    "trial_ends_at": "when the trial ends, in seconds since 1970; the text says it in ISO 8601",
    "ends_at": "when it ends because somebody has cancelled, in seconds since 1970; the text says it in ISO 8601",
    "started": "1",
    "cancelled": "1; the text is what the customer said about it, or the provider's reason",
    "paused": "1",
    "resumed": "1",
    "payment_succeeded": "what was paid, in major units of the currency, which is the text",
    "payment_failed": "what could not be collected, as above",
    "payment_action_required": "what waits for the customer to confirm it, as above",
    "payment_overdue": "what should have been paid by now, as above",
    "payment_uncollectible": "what is given up as a loss, as above",
    "refunded": "what was given back this time, as above",
    "disputed": "what the customer's bank wants back, as above",
    "dispute_won": "what was kept after all, as above",
    "dispute_lost": "what was lost to a dispute, as above",
    "delinquent": "1 while the last bill is unpaid, else 0",
    "trial_started": "1",
    "trial_ended": "1",
    "deal_won": "the amount of the deal in the CRM's currency",
    "deal_lost": "the amount of the deal in the CRM's currency; the text is the stage",
    "contract_activated": "1",
    "contract_ended": "1; the text is the contract's status",
}
"""Every name of a `subscription` signal with the meaning of its value (null where there is none) and its text."""

MONTHS_OF_A_YEAR = 12

_TRAITS: dict[str, tuple[str, ...]] = {
    "plan": ("plan", "plan_name", "plan_id", "subscription_plan", "pricing_plan"),
    "mrr": ("mrr", "monthly_recurring_revenue", "monthly_spend"),
    "seats": ("seats", "seat_count", "licenses", "license_count", "licences"),
    "renewal_at": ("renewal_at", "renewal_date", "renews_at", "renewal_on", "contract_end_date"),
    "trial_ends_at": ("trial_ends_at", "trial_end", "trial_end_date", "trial_expires_at"),
}
_YEARLY = ("arr", "annual_recurring_revenue")


class Told(NamedTuple):
    """One thing that a payload tells of a subscription: a name of `SUBSCRIPTION_WORDS`, its value and its text."""

    name: str
    value: float | None
    text: str | None = None


def snake_case(name: str) -> str:
    """A name as a stable word: `Signed Up`, `signedUp` and `signed-up` are all `signed_up`."""
    parted = re.sub(r"(?<=[a-z0-9])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])", "_", name)
    return re.sub(r"\W+|_+", "_", parted).strip("_").lower()


def moment_told(name: str, moment: datetime) -> Told:
    """An instant as a number that can be compared and a text that can be read."""
    return Told(name, moment.timestamp(), moment.isoformat().replace("+00:00", "Z"))


def subscription_traits(traits: Mapping[str, Json]) -> Iterator[Told]:
    """What the traits of a company or person say of their subscription, under the names that are usual for it."""
    known = {snake_case(name.removesuffix("__c")): value for name, value in traits.items()}
    for name, spellings in _TRAITS.items():
        found = next((known[spelling] for spelling in spellings if known.get(spelling) is not None), None)
        if name == "plan":
            plan = id_text(found)
            if plan is not None:
                yield Told(name, None, plan)
        elif name in {"mrr", "seats"}:
            amount = number(found)
            if amount is not None:
                yield Told(name, amount)
        elif found is not None and (moment := instant(found)) is not None:
            yield moment_told(name, moment)
    yearly = next((amount for spelling in _YEARLY if (amount := number(known.get(spelling))) is not None), None)
    if yearly is not None and not any(known.get(spelling) is not None for spelling in _TRAITS["mrr"]):
        yield Told("mrr", yearly / MONTHS_OF_A_YEAR)
