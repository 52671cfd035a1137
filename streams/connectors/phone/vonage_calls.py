"""Vonage's calls: the event webhooks of the Voice API, and its call resource.

Source: Vonage documentation, "Voice API: Webhook reference" and "Voice API reference". Every leg has a `uuid`; legs
that talk to each other share a `conversation_uuid`, which is the call here. `vonage_channel` brings them here.
"""

from datetime import datetime, timedelta

from streams.connectors.connector_contract import Draft, Ignored, Reading, Refused
from streams.connectors.drafting import Drafter
from streams.connectors.payload_reading import Json, at, flag, id_text, instant, number, required, text, word
from streams.connectors.phone_calls import PhoneCall
from streams.connectors.phone_numbers import caller_of

BEGUN = frozenset({"started", "ringing"})
TAKEN = frozenset({"answered", "human", "machine"})
OVER = frozenset(
    {"completed", "busy", "cancelled", "canceled", "failed", "rejected", "timeout", "unanswered", "disconnected"}
)
IN_BETWEEN = frozenset({"record", "transfer", "input", "payment", "hold", "unhold"})

OWN_TELEPHONES = frozenset({"app", "sip", "vbc", "websocket"})
"""Endpoints that only the company's own people (or machines) have."""


def call_event(drafter: Drafter, event: Json) -> Reading:
    """What a webhook or a resource tells; a resource of a call that is over tells the whole of it."""
    leg = required(id_text(event, "uuid") or id_text(event, "call_uuid"), "$.uuid")
    status = word(event, "status")
    if status is None:
        return [Ignored("without_effect")]
    if status in IN_BETWEEN:
        return [Ignored("in_progress")]
    call = _call(drafter, event, leg)
    # A resource has links and no time of its own; its status is where the call is now.
    if isinstance(at(event, "_links"), dict) or at(event, "timestamp") is None:
        return _record(call, event, status)
    menu = flag(drafter.instance.options.get("menu")) and word(event, "direction") == "inbound"
    if menu and status in TAKEN:
        return [Ignored("in_progress")]
    return [_step(call, status, instant(event, "timestamp"))]


def _step(call: PhoneCall, status: str, happened: datetime | None) -> Draft | Refused:
    if status in BEGUN:
        return call.started(happened, source_status=status)
    if status in TAKEN:
        automated = "answering_machine" if status == "machine" else None
        return call.answered(happened, source_status=status, automated=automated)
    if status in OVER:
        return call.ended(happened, source_status=status)
    return Refused("not_understood", f"the call status {status[:80]!r} is not known")


def _record(call: PhoneCall, record: Json, status: str) -> Reading:
    began, ended = instant(record, "start_time"), instant(record, "end_time")
    last = _step(call, status, ended if status in OVER else began)
    if isinstance(last, Refused) or status in BEGUN:
        return [last]
    events = [call.started(began, source_status="started")]
    seconds = number(record, "duration") or 0
    if status in OVER and ended is not None and seconds > 0:
        events.append(call.answered(ended - timedelta(seconds=min(seconds, 1e6)), source_status="answered"))
    return [*events, last]


def _call(drafter: Drafter, event: Json, leg: str) -> PhoneCall:
    inbound = word(event, "direction") == "inbound"
    theirs, ours = ("from", "to") if inbound else ("to", "from")
    address, kind = _address(event, theirs)
    own = kind in OWN_TELEPHONES
    return PhoneCall(
        drafter,
        leg,
        inbound=inbound != own,
        customer=caller_of(_address(event, ours)[0] if own else address),
        agent=address if own else text(event, f"{ours}_user") or None,
        conversation=id_text(event, "conversation_uuid"),
    )


def _address(event: Json, side: str) -> tuple[str | None, str | None]:
    """Address and kind of one side. Webhooks write the address, resources an object."""
    found = at(event, side)
    if isinstance(found, list):
        found = found[0] if found else None
    if isinstance(found, dict):
        address = next((id_text(found, key) for key in ("number", "user", "uri", "extension") if key in found), None)
        return address, word(found, "type")
    written = id_text(event, side) or id_text(event, f"{side}_user")
    kind = word(event, "endpoint_type") or ("sip" if (written or "").startswith(("sip:", "sips:")) else None)
    return written, kind
