"""What a Stripe subscription is now, and what has just happened to it, in the words of `subscription_words`.

Every event states the whole: plan, revenue of a month, seats, and when it renews or ends. What is lost on the way is
told again by the next one. `stripe_events` makes signals of it.

Source: Stripe documentation, "Using webhooks with subscriptions" and the API reference of the subscription. Since
version 2025-03-31 the billing period is that of the items.
"""

from collections.abc import Iterator, Mapping
from math import isfinite

from streams.connectors.business.stripe_money import monthly_revenue, plan_name
from streams.connectors.business.subscription_words import Told, moment_told
from streams.connectors.payload_reading import Json, flag, instant, number, table, tables, text, word

ENDED = frozenset({"canceled", "incomplete_expired"})


def subscription_now(subscription: Json) -> Iterator[Told]:
    """The state of a subscription."""
    status = word(subscription, "status")
    lines = items_of(subscription)
    names = [name for line in lines if (name := plan_name(line))]
    if names:
        yield Told("plan", None, " + ".join(names))
    revenue = monthly_revenue(lines, status)
    if revenue is not None:
        yield Told("mrr", *revenue)
    seats = [counted for line in lines if (counted := number(line, "quantity")) is not None]
    if seats and isfinite(sum(seats)):
        yield Told("seats", sum(seats))
    if status in ENDED:
        return
    trial_end = instant(subscription, "trial_end")
    if trial_end is not None and status == "trialing":
        yield moment_told("trial_ends_at", trial_end)
    period_ends = [found for line in (subscription, *lines) if (found := instant(line, "current_period_end"))]
    leaving = flag(subscription, "cancel_at_period_end") or instant(subscription, "cancel_at") is not None
    next_end = min(period_ends, default=None)
    at = (instant(subscription, "cancel_at") or next_end) if leaving else next_end
    if at is not None:
        yield moment_told("ends_at" if leaving else "renewal_at", at)


def subscription_started(subscription: Json, previous: Mapping[str, Json]) -> Iterator[Told]:  # noqa: ARG001
    """A new subscription. One that waits for its first payment has not started."""
    status = word(subscription, "status")
    if status not in {"incomplete", *ENDED}:
        yield Told("started", 1.0)
    if status == "trialing":
        yield Told("trial_started", 1.0)
    yield from subscription_now(subscription)


def subscription_changed(subscription: Json, previous: Mapping[str, Json]) -> Iterator[Told]:
    """A change: the state, and whether collecting was paused, resumed, or the end has come."""
    status, before = word(subscription, "status"), word(previous, "status")
    if "pause_collection" in previous:
        yield Told("paused" if table(subscription, "pause_collection") else "resumed", 1.0)
    if before == "trialing" and status is not None:
        yield Told("trial_ended", 1.0)
    if status == "trialing" and before is not None:
        yield Told("trial_started", 1.0)
    if before == "incomplete" and status in {"active", "trialing"}:
        yield Told("started", 1.0)
    yield from subscription_now(subscription)


def subscription_ended(subscription: Json, previous: Mapping[str, Json]) -> Iterator[Told]:  # noqa: ARG001
    """The end: it brings nothing any more, and why, as far as somebody said."""
    yield Told("cancelled", 1.0, _reason(subscription))
    revenue = monthly_revenue(items_of(subscription), "canceled")
    yield Told("mrr", 0.0, revenue[1] if revenue else word(subscription, "currency"))


def subscription_paused(subscription: Json, previous: Mapping[str, Json]) -> Iterator[Told]:  # noqa: ARG001
    """It stands still, for want of a payment method after a trial for instance."""
    yield Told("paused", 1.0)
    yield from subscription_now(subscription)


def subscription_resumed(subscription: Json, previous: Mapping[str, Json]) -> Iterator[Told]:  # noqa: ARG001
    """It goes on."""
    yield Told("resumed", 1.0)
    yield from subscription_now(subscription)


def trial_will_end(subscription: Json, previous: Mapping[str, Json]) -> Iterator[Told]:  # noqa: ARG001
    """Three days before a trial ends, or when it is ended at once."""
    yield from subscription_now(subscription)


def subscription_found(subscription: Json) -> Iterator[Told]:
    """A subscription as the API gives it, outside of any event."""
    if word(subscription, "status") in ENDED:
        return subscription_ended(subscription, {})
    return subscription_now(subscription)


def items_of(subscription: Json) -> list[Json]:
    """The items; before 2016 a subscription had one plan and no items."""
    lines = list(tables(subscription, "items", "data"))
    if lines or not table(subscription, "plan"):
        return lines
    return [{"plan": table(subscription, "plan"), "quantity": number(subscription, "quantity")}]


def _reason(subscription: Json) -> str | None:
    said = ((table(subscription, "cancellation_details"), key) for key in ("comment", "feedback", "reason"))
    return next((found for details, key in said if (found := text(details, key))), None)
