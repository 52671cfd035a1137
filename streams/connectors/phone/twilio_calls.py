"""Twilio's calls: the callbacks that tell how one proceeds, and the Call resource of its API.

Source: Twilio documentation, "Voice Webhooks" (CallStatus, Direction, ParentCallSid, DialCallStatus) and "Call
resource". `twilio_channel` brings them here.
"""

from datetime import timedelta

from streams.connectors.connector_contract import Draft, Ignored, Reading, Refused
from streams.connectors.drafting import Drafter
from streams.connectors.payload_reading import Json, at, flag, id_text, instant, number, required, text, word
from streams.connectors.phone_calls import PhoneCall
from streams.connectors.phone_numbers import caller_of, person_of

RINGING = frozenset({"queued", "initiated", "ringing"})
ANSWERED = frozenset({"in-progress", "answered"})
OVER = frozenset({"completed", "busy", "no-answer", "failed", "canceled"})

IN_BETWEEN = (
    "Digits",
    "SpeechResult",
    "QueueSid",
    "QueueTime",
    "RecordingSid",
    "msg",
    "TranscriptionSid",
    "StreamSid",
    "PaymentCardNumber",
)
"""Fields of requests that ask what to do next while a call goes on: nobody takes it by that."""


def agent_of(address: str | None) -> str | None:
    """The name of a softphone or a telephone of one's own (`client:alice`, `sip:alice@example.com`); null for numbers.

    Only the company's own people are called that way.
    """
    scheme, _, name = (address or "").partition(":")
    return (name or None) if scheme.strip().lower() in {"client", "sip", "sips"} else None


def call_progress(drafter: Drafter, fields: Json) -> Reading:
    """What a voice webhook tells: at most one event, since Twilio sends one for every step."""
    call_id = required(id_text(fields, "CallSid"), "$.CallSid")
    status = word(fields, "CallStatus")
    if word(fields, "DialCallStatus"):
        return [_dialled(drafter, fields, call_id)]
    if status is None:
        return [Ignored("without_effect")]
    if status not in RINGING | ANSWERED | OVER:
        return [_unknown(status)]
    parent = id_text(fields, "ParentCallSid")
    return [_leg(drafter, fields, call_id, parent) if parent else _step(drafter, fields, call_id, status)]


def _step(drafter: Drafter, fields: Json, call_id: str, status: str) -> Draft | Ignored:
    happened = instant(fields, "Timestamp")
    call = _call(drafter, call_id, *(text(fields, name) for name in ("From", "To", "Direction")))
    if status in RINGING:
        return call.started(happened, source_status=status)
    if status in OVER:
        return call.ended(happened, source_status=status)
    menu = flag(drafter.instance.options.get("menu")) and word(fields, "Direction") == "inbound"
    if menu or any(at(fields, name) is not None for name in IN_BETWEEN):
        return Ignored("in_progress")
    return call.answered(happened, source_status=status, automated=_machine(text(fields, "AnsweredBy")))


def call_record(drafter: Drafter, record: Json) -> Reading:
    """What the Call resource tells of a call: the whole of it where it is over.

    When it was taken is not said, but for how long it was: it ended so much later.
    """
    call_id = required(id_text(record, "sid"), "$.sid")
    status = required(word(record, "status"), "$.status")
    if status not in RINGING | ANSWERED | OVER:
        return [_unknown(status)]
    if id_text(record, "parent_call_sid"):
        return [Ignored("in_progress")]
    call = _call(drafter, call_id, *(text(record, name) for name in ("from", "to", "direction")))
    began = instant(record, "start_time") or instant(record, "date_created")
    ended = instant(record, "end_time") or instant(record, "date_updated")
    seconds = number(record, "duration") or 0
    events = [call.started(began, source_status=status)]
    if status == "completed" and seconds > 0 and ended is not None:
        answered = ended - timedelta(seconds=min(seconds, 1e6))
        events.append(call.answered(answered, automated=_machine(text(record, "answered_by"))))
    elif status in ANSWERED:
        events.append(call.answered(began, source_status=status))
    if status in OVER:
        events.append(call.ended(ended, source_status=status))
    return events


def _call(drafter: Drafter, call_id: str, from_: str | None, to: str | None, direction: str | None) -> PhoneCall:
    caller = agent_of(from_)
    if (direction or "inbound").lower() == "inbound" and caller is None:
        return PhoneCall(drafter, call_id, inbound=True, customer=caller_of(from_), agent=agent_of(to))
    # A softphone "calls in" at Twilio when an agent dials.
    called = agent_of(to)
    return PhoneCall(
        drafter, call_id, inbound=False, customer=None if called else caller_of(to), agent=caller or called
    )


def _leg(drafter: Drafter, fields: Json, call_id: str, parent: str) -> Draft | Ignored:
    """A leg that `<Dial>` adds to a call: somebody of the company, who takes it or does not."""
    status, to = word(fields, "CallStatus"), text(fields, "To")
    if status not in ANSWERED:
        return Ignored("in_progress")
    call = PhoneCall(
        drafter,
        call_id,
        inbound=True,
        customer=caller_of(text(fields, "From")),
        agent=agent_of(to) or person_of(to),
        conversation=parent,
    )
    automated = _machine(text(fields, "AnsweredBy"))
    return call.answered(instant(fields, "Timestamp"), source_status=status, automated=automated)


def _dialled(drafter: Drafter, fields: Json, call_id: str) -> Draft | Ignored:
    """How `<Dial>` went, told once it is over. Whoever was reached had taken the call as long before as they spoke."""
    leg, seconds = id_text(fields, "DialCallSid"), number(fields, "DialCallDuration")
    if word(fields, "DialCallStatus") not in {"completed", "answered"} or not leg or not seconds or seconds < 0:
        return Ignored("in_progress")
    from_, inbound = text(fields, "From"), (word(fields, "Direction") or "inbound") == "inbound"
    dialling = agent_of(from_)
    call = PhoneCall(
        drafter,
        leg,
        inbound=inbound and dialling is None,
        customer=caller_of(from_ if inbound and dialling is None else text(fields, "To")),
        agent=dialling,
        conversation=call_id,
    )
    over = instant(fields, "Timestamp") or drafter.received_at
    return call.answered(over - timedelta(seconds=min(seconds, 1e6)))


def _unknown(status: str) -> Refused:
    return Refused("not_understood", f"the call status {status[:80]!r} is not known")


def _machine(answered_by: str | None) -> str | None:
    """Why an answer counts as a machine's (Twilio's answering machine detection)."""
    said = (answered_by or "").lower()
    return "answering_machine" if said.startswith("machine") or said == "fax" else None
