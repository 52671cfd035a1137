"""What Stripe's events and objects mean, from 2016 to 2026, and its signature."""

from pathlib import Path
from typing import Any

import pytest

from streams.connectors.business.stripe_events import STRIPE
from streams.connectors.business.stripe_money import in_major_units, monthly_revenue
from streams.connectors.business.stripe_signature import StripeSignature
from streams.connectors.business.subscription_words import SUBSCRIPTION_WORDS
from streams.connectors.connector_contract import Headers, WebhookRequest
from tests.connect_bench import later
from tests.payload_readings import PayloadReader, Told, published
from tests.senders.business_senders import stripe_event
from tests.senders.sender import NOW

stripe = PayloadReader(STRIPE)


def item(cents: float | None = 1200, interval: str = "month", count: int = 1, quantity: int = 1, **price: Any) -> Any:
    """A subscription item in today's shape."""
    recurring = {"interval": interval, "interval_count": count, "usage_type": "licensed"}
    return {
        "price": {"id": "price_1", "currency": "usd", "unit_amount": cents, "recurring": recurring} | price,
        "quantity": quantity,
        "current_period_end": 1775121400,
    }


def subscription(*items: Any, **words: Any) -> dict[str, Any]:
    """A subscription in today's shape."""
    return {
        "id": "sub_1",
        "object": "subscription",
        "customer": "cus_1",
        "status": "active",
        "currency": "usd",
        "cancel_at_period_end": False,
        "items": {"object": "list", "data": list(items or [item()])},
    } | words


STATE: list[Told] = [("plan", None, "price_1"), ("mrr", 12.0, "usd"), ("seats", 1, None)]
RENEWAL: Told = ("renewal_at", 1775121400, "2026-04-02T09:16:40Z")


@pytest.mark.parametrize(
    ("file", "told"),
    [
        ("stripe_evt_invoice_payment_failed_2016", [("payment_failed", 0, "aud")]),
        (
            "stripe_evt_customer_subscription_updated_2026",
            [
                ("trial_started", 1, None),
                ("plan", None, "price_1TZtAjJEe0yY0QKr27Tj0mDA"),
                ("mrr", 0, "usd"),
                ("seats", 1, None),
                ("trial_ends_at", 1779872032, "2026-05-27T08:53:52Z"),
                ("renewal_at", 1779872032, "2026-05-27T08:53:52Z"),
            ],
        ),
        (
            "stripe_subscription_sub_fakefakefakefakefake0001",
            [
                ("plan", None, "New plan name"),
                ("mrr", 20, "usd"),
                ("seats", 1, None),
                ("renewal_at", 1560673576, "2019-06-16T08:26:16Z"),
            ],
        ),
        ("stripe_invoice_in_fakefakefakefakefake0001", [("payment_succeeded", 20, "usd")]),
        ("stripe_dispute_dp_fakefakefakefake01", [("disputed", 10, "usd")]),
    ],
)
def test_the_published_payloads_that_tell_something(shared: Path, file: str, told: list[Told]) -> None:
    signals = stripe.signals(published(shared, f"billing/{file}.json"))
    assert [(s.name, s.value, s.text) for s in signals] == told
    assert {s.kind for s in signals} == {"subscription"}


@pytest.mark.parametrize(
    ("file", "reason"),
    [
        ("stripe_charge_ch_fakefakefakefakefake0001", "told_elsewhere"),
        ("stripe_event_account_updated_standard", "other_subject"),
        ("stripe_openapi_customer", "without_effect"),
        ("stripe_openapi_event", "other_subject"),
        ("stripe_openapi_invoice", "not_yet"),
    ],
)
def test_the_published_payloads_that_tell_nothing(shared: Path, file: str, reason: str) -> None:
    assert stripe.ignored(published(shared, f"billing/{file}.json")) == reason


def test_a_customer_brings_its_subscriptions(shared: Path) -> None:
    drafts = stripe.drafts(published(shared, "billing/stripe_customer_cus_6lsBvm5rJ0zyHc.json"))
    assert len(drafts) == 8
    assert {draft.identities for draft in drafts} == {
        ("stripe_customer:cus_6lsBvm5rJ0zyHc", "domain:example.com", "email:michael.smith@example.com")
    }


@pytest.mark.parametrize(
    ("kind", "thing", "previous", "told"),
    [
        ("created", {}, {}, [("started", 1, None), *STATE, RENEWAL]),
        ("created", {"status": "incomplete"}, {}, [STATE[0], ("mrr", 0, "usd"), STATE[2], RENEWAL]),
        ("updated", {}, {"metadata": {}}, [*STATE, RENEWAL]),
        ("updated", {}, {"status": "trialing"}, [("trial_ended", 1, None), *STATE, RENEWAL]),
        (
            "updated",
            {"pause_collection": {"behavior": "void"}},
            {"pause_collection": None},
            [("paused", 1, None), *STATE, RENEWAL],
        ),
        ("updated", {}, {"pause_collection": {"behavior": "void"}}, [("resumed", 1, None), *STATE, RENEWAL]),
        (
            "updated",
            {"cancel_at_period_end": True},
            {"cancel_at_period_end": False},
            [*STATE, ("ends_at", 1775121400, "2026-04-02T09:16:40Z")],
        ),
        ("paused", {"status": "paused"}, {}, [("paused", 1, None), STATE[0], ("mrr", 0, "usd"), STATE[2], RENEWAL]),
        ("resumed", {}, {}, [("resumed", 1, None), *STATE, RENEWAL]),
        (
            "deleted",
            {"status": "canceled", "cancellation_details": {"comment": None, "feedback": "too_expensive"}},
            {},
            [("cancelled", 1, "too_expensive"), ("mrr", 0, "usd")],
        ),
    ],
)
def test_events_of_a_subscription(kind: str, thing: Any, previous: Any, told: list[Told]) -> None:
    event = stripe_event(f"customer.subscription.{kind}", subscription(**thing), **previous)
    assert stripe.told(event) == told


@pytest.mark.parametrize(
    ("kind", "thing", "previous", "told"),
    [
        ("invoice.paid", {"amount_paid": 1250}, {}, ("payment_succeeded", 12.5, "usd")),
        ("invoice.payment_succeeded", {"total": 500, "currency": "jpy"}, {}, ("payment_succeeded", 500, "jpy")),
        ("invoice.payment_failed", {"amount_due": 1250, "amount_remaining": 250}, {}, ("payment_failed", 2.5, "usd")),
        ("invoice.payment_action_required", {"amount_due": 1250}, {}, ("payment_action_required", 12.5, "usd")),
        ("invoice.overdue", {"amount_due": 1250}, {}, ("payment_overdue", 12.5, "usd")),
        ("invoice.marked_uncollectible", {"amount_due": 1250}, {}, ("payment_uncollectible", 12.5, "usd")),
        ("charge.succeeded", {"amount": 1250, "invoice": None}, {}, ("payment_succeeded", 12.5, "usd")),
        ("charge.failed", {"amount": 1250}, {}, ("payment_failed", 12.5, "usd")),
        ("charge.refunded", {"amount_refunded": 900}, {"amount_refunded": 500}, ("refunded", 4, "usd")),
        ("charge.dispute.created", {"amount": 1250}, {}, ("disputed", 12.5, "usd")),
        ("charge.dispute.closed", {"amount": 1250, "status": "lost"}, {}, ("dispute_lost", 12.5, "usd")),
        (
            "customer.updated",
            {"object": "customer", "delinquent": True},
            {"delinquent": False},
            ("delinquent", 1, None),
        ),
    ],
)
def test_events_of_money(kind: str, thing: Any, previous: Any, told: Told) -> None:
    assert stripe.told(stripe_event(kind, thing, **previous)) == [told]
    assert told[0] in SUBSCRIPTION_WORDS


@pytest.mark.parametrize(
    ("kind", "thing", "reason"),
    [
        ("charge.succeeded", {"invoice": "in_1", "amount": 1}, "told_elsewhere"),
        ("charge.succeeded", {"description": "Subscription update", "amount": 1}, "told_elsewhere"),
        ("charge.succeeded", {"captured": False, "amount": 1}, "not_yet"),
        ("charge.failed", {"customer": None, "amount": 1}, "nobody_named"),
        ("charge.refund.updated", {"object": "refund"}, "told_elsewhere"),
        ("charge.dispute.closed", {"status": "warning_closed"}, "without_effect"),
        ("customer.updated", {"object": "customer"}, "without_effect"),
        ("checkout.session.completed", {}, "told_elsewhere"),
        ("payment_intent.succeeded", {}, "told_elsewhere"),
        ("invoice.upcoming", {}, "without_effect"),
        ("payout.paid", {}, "other_subject"),
        ("v2.core.account.updated", {}, "other_subject"),
    ],
)
def test_events_that_tell_nothing_of_their_own(kind: str, thing: Any, reason: str) -> None:
    assert stripe.ignored(stripe_event(kind, thing)) == reason


def test_objects_are_known_by_their_ids_and_in_their_data() -> None:
    charge = {"id": "ch_1", "customer": "cus_1", "currency": "usd", "amount": 500, "paid": True, "amount_refunded": 200}
    told = [("payment_succeeded", 5, "usd"), ("refunded", 2, "usd")]
    assert stripe.told(charge) == stripe.told({"object": charge, "previous_attributes": {}}) == told


def test_thin_events_have_nothing_in_them() -> None:
    assert stripe.ignored({"id": "evt_1", "object": "v2.core.event", "type": "v1.invoice.paid"}) == "needs_fetch"


def test_one_payment_that_two_events_tell_counts_once() -> None:
    ids = [
        stripe.signals(stripe_event(f"invoice.{kind}", {"total": 5}))[0].id for kind in ("paid", "payment_succeeded")
    ]
    assert ids == ["in_1:payment_succeeded"] * 2


def test_a_payer_who_typed_an_address_is_nobodys_company() -> None:
    event = stripe_event(
        "charge.failed", {"customer": None, "billing_details": {"email": "Eve@Acme.example"}, "amount": 5}
    )
    assert stripe.drafts(event)[0].identities == ("unverified_email:eve@acme.example",)


@pytest.mark.parametrize(
    ("items", "status", "revenue"),
    [
        ([item(12000, "year")], "active", (10.0, "usd")),
        ([item(1200, "month", 3)], "active", (4.0, "usd")),
        ([item(700, "week")], None, (30.4375, "usd")),
        ([item(1200, quantity=3), item(100)], "past_due", (37.0, "usd")),
        ([item(1200)], "trialing", (0.0, "usd")),
        ([item(None, unit_amount_decimal="0.5", quantity=1)], "active", (0.005, "usd")),
        ([item(1000, currency="jpy")], "active", (1000.0, "jpy")),
        ([item(1000, currency="kwd")], "active", (1.0, "kwd")),
        ([item(500, quantity=25, transform_quantity={"divide_by": 10, "round": "up"})], "active", (15.0, "usd")),
        ([item(None)], "active", None),
        ([{"plan": {"amount": 2000, "currency": "eur", "interval": "month"}}], "active", (20.0, "eur")),
        ([], "active", None),
    ],
)
def test_revenue_of_a_month(items: list[Any], status: str | None, revenue: tuple[float, str] | None) -> None:
    assert monthly_revenue(items, status) == revenue


def test_currencies_have_their_own_minor_units() -> None:
    assert [in_major_units(1234, currency) for currency in ("usd", "jpy", "kwd", "ugx")] == [12.34, 1234, 1.234, 12.34]


@pytest.mark.parametrize(
    ("header", "refusal"),
    [
        ("{good}", None),
        ("t={t},v1=00,v1={v1},v0=00", None),
        ("v1={v1},t={t}", None),
        ("t={t},v1=00", "bad_signature"),
        ("t={t},v0={v1}", "missing_signature"),
        ("v1={v1}", "missing_timestamp"),
        ("t=soon,v1={v1}", "malformed_timestamp"),
        ("t={t},t={t},v1={v1}", "malformed_timestamp"),
        ("nonsense", "bad_signature"),
    ],
)
def test_the_signature_header(header: str, refusal: str | None) -> None:
    signature, at = StripeSignature(["old", "new"]), str(int(NOW.timestamp()))
    good = signature.sign(at, b"{}")
    value = header.format(good=good, t=at, v1=good.partition("v1=")[2])
    request = WebhookRequest("POST", Headers([(StripeSignature.HEADER, value)]), b"{}", later(seconds=10))
    assert signature.verify(request).refusal == refusal
