"""Stripe (id `stripe`): subscriptions, invoices and payments as subscription signals, events and bare objects alike.

Event shapes of ten years circulate, since every endpoint keeps the version that it was made with; `stripe_subscription`
and `stripe_payments` read them all. Events of other subjects are ignored by the first word of their type.

Source: Stripe documentation, "Types of events", "Event object", "Thin events"; real events of 2016 to 2026 in
zulip/zulip `zerver/webhooks/stripe/fixtures`.
"""

from collections.abc import Callable, Iterator, Mapping
from datetime import datetime
from functools import partial
from typing import NamedTuple

from streams.connectors.accounts_directory import identities_of_address
from streams.connectors.business import stripe_payments as payments
from streams.connectors.business import stripe_subscription as subscriptions
from streams.connectors.business.stripe_signature import StripeSignature
from streams.connectors.business.subscription_words import Told
from streams.connectors.connector_contract import (
    ConnectorKind,
    Draft,
    Ignored,
    Instance,
    Reading,
    Refused,
    WebhookRequest,
)
from streams.connectors.drafting import Drafter
from streams.connectors.payload_reading import (
    Json,
    content_id,
    id_text,
    instant,
    items,
    read_each,
    read_json,
    read_one,
    required,
    table,
    tables,
    text,
    word,
)

Teller = Callable[[Json, Mapping[str, Json]], Iterator[Told] | Iterator[Told | Ignored]]
"""What the object of an event tells, with its `previous_attributes`."""

TELLERS: dict[str, Teller] = {
    "customer.subscription.created": subscriptions.subscription_started,
    "customer.subscription.updated": subscriptions.subscription_changed,
    "customer.subscription.deleted": subscriptions.subscription_ended,
    "customer.subscription.paused": subscriptions.subscription_paused,
    "customer.subscription.resumed": subscriptions.subscription_resumed,
    "customer.subscription.trial_will_end": subscriptions.trial_will_end,
    "customer.updated": payments.customer_changed,
    "invoice.paid": payments.invoice_paid,
    "invoice.payment_succeeded": payments.invoice_paid,
    "invoice.payment_failed": payments.invoice_failed,
    "invoice.payment_action_required": payments.invoice_waits,
    "invoice.overdue": payments.invoice_overdue,
    "invoice.marked_uncollectible": payments.invoice_lost,
    "charge.succeeded": payments.charge_succeeded,
    "charge.captured": payments.charge_succeeded,
    "charge.failed": payments.charge_failed,
    "charge.refunded": payments.charge_refunded,
    "charge.dispute.created": payments.dispute_opened,
    "charge.dispute.closed": payments.dispute_closed,
}

FINDERS: dict[str, Callable[[Json], Iterator[Told] | Iterator[Told | Ignored]]] = {
    "charge": payments.charge_found,
    "dispute": payments.dispute_found,
    "invoice": payments.invoice_found,
    "subscription": subscriptions.subscription_found,
}
"""What an object of the API tells by being as it is."""

TOLD_ELSEWHERE = {
    "checkout": "told_elsewhere",
    "payment_intent": "told_elsewhere",
    "invoice_payment": "told_elsewhere",
    "refund": "told_elsewhere",
}
"""First words of types that repeat what another event says."""

OURS = frozenset({"charge", "customer", "invoice"})
"""First words of types of which some are told and the others change nothing for us."""

_OTHER_SUBJECTS = (
    "account application application_fee application_fee_refund balance balance_settings billing billing_portal "
    "bitcoin capability cash_balance climate coupon credit_note customer_cash_balance_transaction "
    "customer_entitlement entitlements external_account file financial_connections fx_quote identity invoiceitem "
    "issuer_fraud_record issuing issuing_authorization issuing_card issuing_cardholder issuing_dispute "
    "issuing_personalization_design issuing_settlement issuing_token issuing_transaction mandate order order_return "
    "payment_link payment_method payout person ping plan price product promotion_code quote radar recipient "
    "reporting reserve review setup_intent sigma sku source subscription_schedule tax tax_id tax_rate terminal "
    "test_helpers topup transaction transfer treasury v1 v2"
)
OTHER_SUBJECTS = frozenset(_OTHER_SUBJECTS.split())
"""First words of all other documented types, of today and of former years."""

KIND_OF_PREFIX = {
    "ch": "charge",
    "cus": "customer",
    "dp": "dispute",
    "du": "dispute",
    "evt": "event",
    "in": "invoice",
    "py": "charge",
    "sub": "subscription",
}
"""What an object is by its id, for senders that leave its kind out."""

ONCE = frozenset({"payment_succeeded"})
"""What two events tell in turn (`invoice.paid`, `invoice.payment_succeeded`): it has the id of its object, and counts
once."""


class Origin(NamedTuple):
    """Where something is told: the id that it begins with, and when it was."""

    id: str
    at: datetime | None


class StripeEvents:
    """Reads events and objects."""

    def __init__(self, instance: Instance) -> None:
        self._instance = instance

    def normalise(self, request: WebhookRequest) -> Reading:
        """What one event, one object of the API or a list of them means."""
        payload = read_json(request.body)
        if isinstance(payload, Refused):
            return [payload]
        read = partial(_read, drafter=Drafter(self._instance, request, "other"))
        if word(payload, "object") == "list":
            return read_each(items(payload, "data"), read) or [Ignored("nothing_inside")]
        return read_one(payload, read)


def _read(thing: Json, drafter: Drafter) -> Iterator[Draft | Ignored | Refused]:
    kind = word(thing, "object")
    data = table(thing, "object")
    if data:  # the `data` of an event, without its envelope
        thing, kind = data, word(data, "object")
    kind = kind or KIND_OF_PREFIX.get((id_text(thing, "id") or "").partition("_")[0])
    if kind == "v2.core.event" or (kind == "event" and "data" not in thing):
        yield Ignored("needs_fetch")
    elif kind == "event":
        yield from _event(thing, drafter)
    else:
        yield from _object(required(kind, "$.object"), thing, drafter)


def _event(event: Json, drafter: Drafter) -> Iterator[Draft | Ignored | Refused]:
    event_type = required(word(event, "type"), "$.type")
    teller = TELLERS.get(event_type)
    if teller is None:
        yield _untold(event_type)
        return
    event_id = required(id_text(event, "id"), "$.id")
    thing = required(table(event, "data", "object") or None, "$.data.object")
    told = teller(thing, table(event, "data", "previous_attributes"))
    yield from _signals(told, thing, Origin(event_id, instant(event, "created")), drafter)


def _untold(event_type: str) -> Ignored | Refused:
    subject = event_type.partition(".")[0]
    if event_type.startswith("charge.refund."):
        return Ignored("told_elsewhere")
    if subject in TOLD_ELSEWHERE:
        return Ignored(TOLD_ELSEWHERE[subject])
    if subject in OURS:
        return Ignored("without_effect")
    if subject in OTHER_SUBJECTS:
        return Ignored("other_subject")
    return Refused("not_understood", f"the event type {event_type[:80]!r} is not known")


def _object(kind: str, thing: Json, drafter: Drafter) -> Iterator[Draft | Ignored]:
    """An object as the API gives it: what it says by being as it is."""
    kept = list(tables(thing, "subscriptions", "data"))
    if kind == "customer" and kept:
        for subscription in kept:
            yield from _object("subscription", subscription | {"customer": thing}, drafter)
    elif kind == "customer":
        yield Ignored("without_effect")
    elif kind == "invoice" and id_text(thing, "id") is None:
        yield Ignored("not_yet")  # an upcoming invoice has no id
    elif kind not in FINDERS:
        yield Ignored(TOLD_ELSEWHERE.get(kind.partition(".")[0], "other_subject"))
    else:
        object_id = required(id_text(thing, "id"), "$.id")
        # The same state has the same id, so that fetching it twice tells it once.
        origin = Origin(f"{object_id}:{content_id(thing)}", _time_of(thing, drafter.received_at))
        yield from _signals(FINDERS[kind](thing), thing, origin, drafter)


def _time_of(thing: Json, now: datetime) -> datetime | None:
    """When an object became what it is: the latest of its own times that has come."""
    transitions = table(thing, "status_transitions")
    own = ("created", "date", "start_date", "current_period_start", "canceled_at", "ended_at")
    times = [instant(thing, key) for key in own] + [instant(value) for value in transitions.values()]
    return max((at for at in times if at is not None and at <= now), default=None)


def _signals(
    told: Iterator[Told] | Iterator[Told | Ignored], thing: Json, origin: Origin, drafter: Drafter
) -> Iterator[Draft | Ignored]:
    people, object_id = _identities(thing), id_text(thing, "id")
    reference = f"stripe:{word(thing, 'object')}:{object_id}" if object_id else None
    facts: list[Told | Ignored] = list(told) or [Ignored("without_effect")]
    if not people and isinstance(facts[0], Told):
        facts = [Ignored("nobody_named")]
    for fact in facts:
        if isinstance(fact, Ignored):
            yield fact
            continue
        begin = object_id if fact.name in ONCE and object_id else origin.id
        yield drafter.signal(
            f"{begin}:{fact.name}",
            "subscription",
            fact.name,
            fact.value,
            origin.at,
            identities=people,
            text=fact.text,
            raw_reference=reference,
        )


def _identities(thing: Json) -> tuple[str, ...]:
    """The customer, the address that the company knows, and last the one that a payer typed."""
    customer = table(thing) if word(thing, "object") == "customer" else table(thing, "customer")
    customer_id = id_text(customer, "id") or id_text(thing, "customer") or id_text(thing, "customer_account")
    known = (text(customer, "email"), text(thing, "customer_email"), text(thing, "receipt_email"))
    address = next((found for found in known if found and "@" in found), None)
    typed = text(thing, "billing_details", "email") or text(thing, "evidence", "customer_email_address")
    return (
        *([f"stripe_customer:{customer_id}"] if customer_id else []),
        *(identities_of_address(address) if address else identities_of_address(typed, vouched_for=False)),
    )


STRIPE = ConnectorKind(
    id="stripe",
    title="Stripe: subscriptions and payments",
    normaliser=StripeEvents,
    verifier=lambda instance: StripeSignature(instance.secrets),
    setup=(
        "Workbench > Webhooks > Add destination, snapshot events, endpoint https://<your host>/in/stripe:\n"
        "customer.subscription.*, customer.updated, invoice.*, charge.*; its signing secret (whsec_...) belongs here.\n"
        "List stripe_customer:<cus_...> among an account's identities."
    ),
)
