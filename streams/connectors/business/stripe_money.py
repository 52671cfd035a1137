"""Stripe's amounts and prices: minor units of a currency, and prices per some interval, in figures that compare.

`stripe_subscription` and `stripe_payments` use them.

Source: Stripe documentation, "Supported currencies" (zero-decimal and three-decimal currencies), "Plans and prices".
"""

import math
from collections.abc import Iterable

from streams.connectors.payload_reading import Json, number, table, text, word

ZERO_DECIMAL = frozenset(
    {"bif", "clp", "djf", "gnf", "jpy", "kmf", "krw", "mga", "pyg", "rwf", "vnd", "vuv", "xaf", "xof", "xpf"}
)
"""Currencies whose amounts are already whole units. ISK and UGX have no cents either, but Stripe writes them with two
decimals."""
THREE_DECIMAL = frozenset({"bhd", "jod", "kwd", "omr", "tnd"})

MONTHS_OF: dict[str, float] = {"day": 12 / 365.25, "week": 7 * 12 / 365.25, "month": 1.0, "year": 12.0}
"""Months of one interval; a year has 365.25 days on average."""

BILLED = frozenset({"active", "past_due"})
"""Statuses in which a subscription brings revenue. A trial does not yet; `unpaid`, `paused` and the ended ones do no
longer. A status that is not said counts as active."""


def in_major_units(amount: float, currency: str) -> float:
    """An amount of minor units (1250 cents) in major ones (12.5)."""
    if currency in ZERO_DECIMAL:
        return amount
    return amount / (1000 if currency in THREE_DECIMAL else 100)


def amount_in(thing: Json, *keys: str) -> tuple[float, str | None] | None:
    """The first of these amounts that is there, in major units, with its currency."""
    currency = word(thing, "currency") or ""
    found = next((amount for key in keys if (amount := number(thing, key)) is not None), None)
    return (in_major_units(found, currency), currency or None) if found is not None else None


def monthly_revenue(subscription_items: Iterable[Json], status: str | None) -> tuple[float, str | None] | None:
    """What the items bring in a month, with the currency; null where a price is not said (tiers).

    Metered items bring what is used, which the price does not tell: they are left out. Discounts and taxes are not
    taken off.
    """
    total, currency, known = 0.0, "", False
    for item in subscription_items:
        price, plan = table(item, "price"), table(item, "plan")
        recurring = table(price, "recurring") or plan or price
        if word(recurring, "usage_type") == "metered":
            known = True
            continue
        each = _unit_amount(price) if price else None
        each = each if each is not None else _unit_amount(plan)
        months = MONTHS_OF.get(word(recurring, "interval") or "")
        count = number(recurring, "interval_count") or 1.0
        if each is None or months is None or count <= 0:
            return None
        quantity = number(item, "quantity")
        packed = _packages(1.0 if quantity is None else quantity, table(price, "transform_quantity"))
        currency = word(price, "currency") or word(plan, "currency") or currency
        total += in_major_units(each * packed, currency) / (months * count)
        known = True
    if not known or not math.isfinite(total):
        return None
    return (round(total, 4) if status is None or status in BILLED else 0.0), currency or None


def plan_name(item: Json) -> str | None:
    """What the price of an item is called: by people where they gave it a name, else by its key or id."""
    price, plan = table(item, "price"), table(item, "plan")
    spellings = (
        (price, "nickname"),
        (plan, "nickname"),
        (price, "lookup_key"),
        (table(price, "product"), "name"),
        (table(plan, "product"), "name"),
        (plan, "name"),
        (price, "id"),
        (plan, "id"),
    )
    return next((name for thing, key in spellings if (name := text(thing, key))), None)


def _unit_amount(priced: Json) -> float | None:
    for key in ("unit_amount_decimal", "unit_amount", "amount_decimal", "amount"):
        found = number(priced, key)
        if found is not None:
            return found
    return None


def _packages(quantity: float, rule: dict[str, Json]) -> float:
    """How many units are billed where they are sold in packages."""
    size = number(rule, "divide_by")
    if size is None or size < 1:
        return quantity
    return float((math.ceil if word(rule, "round") == "up" else math.floor)(quantity / size))
