"""Stripe's invoices, charges, disputes and customers in the words of `subscription_words`.

One payment is told by several objects at once. The invoice speaks where there is one, else the charge; payment
intents, checkout sessions and refunds repeat them. `stripe_events` makes signals of it.

Source: Stripe documentation, "Types of events" and the API reference of these objects. Since version 2025-03-31 a
charge no longer names its invoice; the description that Stripe gives such charges still tells.
"""

from collections.abc import Iterator, Mapping

from streams.connectors.business.stripe_money import amount_in
from streams.connectors.business.subscription_words import Told
from streams.connectors.connector_contract import Ignored
from streams.connectors.payload_reading import Json, flag, id_text, number, table, text, word

DUE = ("amount_remaining", "amount_due", "total")
PAID = ("amount_paid", "total", "amount_due")

INVOICE_CHARGES = ("subscription creation", "subscription update", "payment for invoice", "invoice ")
"""How descriptions begin that Stripe itself gives to the charges of invoices."""


def invoice_paid(invoice: Json, previous: Mapping[str, Json]) -> Iterator[Told]:  # noqa: ARG001
    """The bill is paid."""
    yield from _money("payment_succeeded", invoice, *PAID)


def invoice_failed(invoice: Json, previous: Mapping[str, Json]) -> Iterator[Told]:  # noqa: ARG001
    """An attempt to collect failed; others may follow."""
    yield from _money("payment_failed", invoice, *DUE)


def invoice_waits(invoice: Json, previous: Mapping[str, Json]) -> Iterator[Told]:  # noqa: ARG001
    """The customer has to confirm the payment."""
    yield from _money("payment_action_required", invoice, *DUE)


def invoice_overdue(invoice: Json, previous: Mapping[str, Json]) -> Iterator[Told]:  # noqa: ARG001
    """The day has passed until which it should have been paid."""
    yield from _money("payment_overdue", invoice, *DUE)


def invoice_lost(invoice: Json, previous: Mapping[str, Json]) -> Iterator[Told]:  # noqa: ARG001
    """Nobody expects the money any more."""
    yield from _money("payment_uncollectible", invoice, *DUE)


def invoice_found(invoice: Json) -> Iterator[Told | Ignored]:
    """An invoice as the API gives it. Before 2019 it had no status but flags."""
    status = word(invoice, "status")
    if status == "paid" or (status is None and flag(invoice, "paid")):
        yield from invoice_paid(invoice, {})
    elif status == "uncollectible":
        yield from invoice_lost(invoice, {})
    elif status in {"open", None} and flag(invoice, "attempted") and not flag(invoice, "closed"):
        yield from invoice_failed(invoice, {})
    else:
        yield Ignored("not_yet")


def charge_succeeded(charge: Json, previous: Mapping[str, Json]) -> Iterator[Told | Ignored]:  # noqa: ARG001
    """Money came in, by itself and not for an invoice."""
    if _is_of_invoice(charge):
        yield Ignored("told_elsewhere")
    elif flag(charge, "captured") is False:
        yield Ignored("not_yet")
    else:
        yield from _money("payment_succeeded", charge, "amount")


def charge_failed(charge: Json, previous: Mapping[str, Json]) -> Iterator[Told | Ignored]:  # noqa: ARG001
    """Money did not come in."""
    if _is_of_invoice(charge):
        yield Ignored("told_elsewhere")
    else:
        yield from _money("payment_failed", charge, "amount")


def charge_refunded(charge: Json, previous: Mapping[str, Json]) -> Iterator[Told]:
    """Money went back: what is new of it, since a charge counts all of its refunds together."""
    back = number(charge, "amount_refunded")
    before = number(previous, "amount_refunded") or 0.0
    if back is None:
        yield from _money("refunded", charge, "amount")
    else:
        yield from _money("refunded", {"currency": charge.get("currency"), "back": back - before}, "back")


def charge_found(charge: Json) -> Iterator[Told | Ignored]:
    """A charge as the API gives it."""
    if flag(charge, "paid") or word(charge, "status") in {"succeeded", "paid"}:
        yield from charge_succeeded(charge, {})
        if number(charge, "amount_refunded"):
            yield from charge_refunded(charge, {})
    elif word(charge, "status") == "failed":
        yield from charge_failed(charge, {})
    else:
        yield Ignored("not_yet")


def dispute_opened(dispute: Json, previous: Mapping[str, Json]) -> Iterator[Told]:  # noqa: ARG001
    """The customer's bank wants the money back, or asks about it."""
    yield from _money("disputed", dispute, "amount")


def dispute_closed(dispute: Json, previous: Mapping[str, Json]) -> Iterator[Told | Ignored]:  # noqa: ARG001
    """A dispute was decided; an inquiry that is closed has cost nothing."""
    outcome = {"won": "dispute_won", "lost": "dispute_lost"}.get(word(dispute, "status") or "")
    if outcome is None:
        yield Ignored("without_effect")
    else:
        yield from _money(outcome, dispute, "amount")


def dispute_found(dispute: Json) -> Iterator[Told | Ignored]:
    """A dispute as the API gives it."""
    if word(dispute, "status") in {"won", "lost", "warning_closed"}:
        yield from dispute_closed(dispute, {})
    else:
        yield from dispute_opened(dispute, {})


def customer_changed(customer: Json, previous: Mapping[str, Json]) -> Iterator[Told | Ignored]:
    """A customer. Of all that may change only the debts are ours to tell."""
    owing = flag(customer, "delinquent")
    if "delinquent" in previous and owing is not None:
        yield Told("delinquent", float(owing))
    else:
        yield Ignored("without_effect")


def _money(name: str, thing: Json, *keys: str) -> Iterator[Told]:
    found = amount_in(thing, *keys)
    yield Told(name, *found) if found is not None else Told(name, None)


def _is_of_invoice(charge: Json) -> bool:
    described = (text(charge, "description") or "").strip().lower()
    named = id_text(charge, "invoice") or id_text(table(charge, "invoice"), "id")
    return named is not None or described.startswith(INVOICE_CHARGES)
