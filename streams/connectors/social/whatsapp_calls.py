"""Calls by WhatsApp: when they begin, when somebody takes them, how they end.

Source: WhatsApp Business Platform documentation, "Calling API: Webhooks". A call of ours is told by the steps of its
status; when a call of the customer's was taken is only told by its end. `whatsapp_channel` brings them here.
"""

from streams.connectors.connector_contract import Ignored, Reading, Refused
from streams.connectors.payload_reading import Json, id_text, instant, required, word
from streams.connectors.phone_calls import PhoneCall
from streams.connectors.social.whatsapp_messages import Thread


def call_step(thread: Thread, said: Json) -> Reading:
    """A call that connects or is over.

    Raises:
        Malformed: it has no id, or it is not said what happened.
    """
    event = required(word(said, "event"), "$.event")
    by_us = word(said, "direction") == "business_initiated" or (
        word(said, "direction") is None and thread.is_ours(id_text(said, "from"))
    )
    call = _call(thread, said, id_text(said, "to" if by_us else "from"), by_us=by_us)
    if event == "connect":
        return [call.started(instant(said, "timestamp"))]
    if event != "terminate":
        return [Refused("not_understood", f"the call event {event[:80]!r} is not known")]
    taken, ended = instant(said, "start_time"), instant(said, "end_time") or instant(said, "timestamp")
    over = call.ended(ended, source_status=word(said, "status"))
    return [over] if taken is None else [call.answered(taken), over]


def call_status(thread: Thread, said: Json) -> Reading:
    """How a call of ours goes at the customer's end.

    Raises:
        Malformed: it has no id or no status.
    """
    status = required(word(said, "status"), "$.status")
    happened = instant(said, "timestamp")
    call = _call(thread, said, id_text(said, "recipient_id"), by_us=True)
    match status:
        case "ringing":
            return [call.started(happened)]
        case "accepted":
            return [call.answered(happened)]
        case "rejected":
            return [call.ended(happened, "customer", source_status=status)]
        case _:
            return [Ignored("receipt")]


def _call(thread: Thread, said: Json, number: str | None, *, by_us: bool) -> PhoneCall:
    # The contact is named by WhatsApp itself; the numbers of the call may be those of the line.
    named = thread.customer(None) if thread.customer(None).id else thread.customer(number)
    return PhoneCall(
        thread.drafter,
        required(id_text(said, "id"), "$.id"),
        inbound=not by_us,
        customer=named.id,
        identities=named.identities,
        inbox=thread.number,
    )
