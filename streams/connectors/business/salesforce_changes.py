"""Salesforce (id `salesforce`): change events of its records, forwarded by a flow, a relay or a subscriber.

Cases are conversations (`salesforce_cases`); opportunities, accounts and contracts tell of the subscription, where the
event names the account. `salesforce_record` opens the wrappings, `salesforce_outbound` reads outbound messages.

Source: Salesforce "Change Data Capture Developer Guide" and "Object Reference". Salesforce does not sign what a flow
sends; a named credential carries the token.
"""

from collections.abc import Callable, Iterator
from functools import partial

from streams.connectors.business.salesforce_cases import CASE_TELLERS
from streams.connectors.business.salesforce_outbound import acknowledged, is_outbound_message, outbound_message
from streams.connectors.business.salesforce_record import CHANGES, SalesforceRecord, messages_in, records_in
from streams.connectors.business.subscription_words import Told, moment_told, subscription_traits
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
from streams.connectors.payload_reading import Json, flag, instant, number, read_each, read_json, read_one
from streams.connectors.shared_secrets import SharedSecret

ENDED_CONTRACTS = frozenset({"expired", "terminated", "cancelled", "canceled"})


class SalesforceChanges:
    """Reads change events and records."""

    def __init__(self, instance: Instance) -> None:
        self._instance = instance

    def normalise(self, request: WebhookRequest) -> Reading:
        """What the records of one message mean."""
        payload = outbound_message(request.body) if is_outbound_message(request) else read_json(request.body)
        if isinstance(payload, Refused):
            return [payload]
        read = partial(_read, drafter=Drafter(self._instance, request, "other"))
        listed = messages_in(payload)
        if listed is not None:
            return read_each(listed, read) or [Ignored("nothing_inside")]
        return read_one(payload, read)


def _read(message: Json, drafter: Drafter) -> Iterator[Draft | Ignored | Refused]:
    for record in records_in(message):
        yield from _read_record(record, drafter)


def _read_record(record: SalesforceRecord | str, drafter: Drafter) -> Iterator[Draft | Ignored | Refused]:
    if isinstance(record, str):
        yield Ignored(record)
    elif record.change is not None and record.change not in CHANGES:
        yield Refused("not_understood", f"the change {record.change[:40]!r} is not known")
    elif record.kind in CASE_TELLERS:
        yield from CASE_TELLERS[record.kind](record, drafter)
    elif record.kind not in SIGNAL_TELLERS:
        yield Ignored("other_subject")
    elif record.change in {"DELETE", "UNDELETE"}:
        yield Ignored("without_effect")
    else:
        yield from _signals(record, drafter)


def _signals(record: SalesforceRecord, drafter: Drafter) -> Iterator[Draft | Ignored]:
    account = record.id if record.kind == "Account" else record.id_of("AccountId")
    told = list(SIGNAL_TELLERS[record.kind](record))
    if not told:
        yield Ignored("without_effect")
    elif account is None:
        yield Ignored("nobody_named")
    else:
        for one in told:
            yield drafter.signal(
                f"{record.event_id}:{one.name}",
                "subscription",
                one.name,
                one.value,
                record.at,
                identities=record.identities(("salesforce_account", account)),
                text=one.text,
                raw_reference=f"salesforce:{record.kind}:{record.id}",
            )


def _opportunity(record: SalesforceRecord) -> Iterator[Told]:
    """A deal, once it is decided."""
    stage = record.text("StageName")
    if stage is None or not (record.is_new or "StageName" in record.changed):
        return
    won, closed = flag(record.fields, "IsWon"), flag(record.fields, "IsClosed")
    said = stage.lower()
    amount = number(record.fields, "Amount")
    if won or (won is None and "closed won" in said):
        yield Told("deal_won", amount)
    elif (closed and won is False) or "closed lost" in said:
        yield Told("deal_lost", amount, stage)


def _account(record: SalesforceRecord) -> Iterator[Told]:
    """Fields of the org's own that say what the account pays for, under their usual names."""
    changed = record.changed
    yield from subscription_traits({name: value for name, value in record.fields.items() if name in changed})


def _contract(record: SalesforceRecord) -> Iterator[Told]:
    """A contract that begins, ends, or is to end another day."""
    status, changed = record.text("Status"), record.changed
    if status is not None and "Status" in changed:
        if status.lower() == "activated":
            yield Told("contract_activated", 1.0)
        elif status.lower() in ENDED_CONTRACTS:
            yield Told("contract_ended", 1.0, status)
    end = instant(record.fields, "EndDate")
    if end is not None and "EndDate" in changed:
        yield moment_told("renewal_at", end)


SIGNAL_TELLERS: dict[str, Callable[[SalesforceRecord], Iterator[Told]]] = {
    "Account": _account,
    "Contract": _contract,
    "Opportunity": _opportunity,
}


SALESFORCE = ConnectorKind(
    id="salesforce",
    title="Salesforce: cases, deals and contracts by Change Data Capture",
    normaliser=SalesforceChanges,
    verifier=lambda instance: SharedSecret(instance.tokens, query="token"),
    receipt=acknowledged,
    setup=(
        "Setup > Change Data Capture: select Case, CaseComment, EmailMessage, Opportunity, Account and Contract,\n"
        "and enrich the channel with AccountId. Forward the events as JSON to https://<your host>/in/salesforce\n"
        "with the header Authorization: Bearer <token> (Event Relay, a Pub/Sub subscriber, a flow).\n"
        "An outbound message cannot set a header: https://<your host>/in/salesforce?token=<token>; give it the fields\n"
        "Status, Subject, Description, AccountId, ContactId, CreatedDate and LastModifiedDate."
    ),
)
