"""What Amazon Connect's records arrive in: Kinesis, Firehose, SNS and SQS wrap them, each in its own way.

Contact records, agent events and Contact Lens go to a Kinesis stream, chats to an SNS topic; what subscribes to those
hands them on as it got them. A Firehose delivers to an HTTP endpoint itself, and takes it for delivered only by an
answer of its own form.

Sources: AWS Lambda Developer Guide, "Using Lambda with Kinesis", "… with SQS", "… with SNS"; Amazon Data Firehose
Developer Guide, "HTTP endpoint delivery request and response specifications".
"""

import base64
import binascii
import json
from collections.abc import Iterator

from streams.connectors.connector_contract import Instance, ProviderAnswer, Refused, Verifier, WebhookRequest
from streams.connectors.payload_reading import Json, Malformed, items, read_json, table, text, word
from streams.connectors.shared_secrets import ChosenProof, SharedSecret

FIREHOSE_KEY = "x-amz-firehose-access-key"
FIREHOSE_REQUEST = "x-amz-firehose-request-id"


def wrapped_in(payload: Json) -> list[Json] | None:
    """The wrapped records of a batch, which `unwrapped` opens; null where the payload is no batch."""
    if isinstance(payload, list):
        return payload or None
    return items(payload, "Records") or items(payload, "records") or None


def unwrapped(record: Json) -> Iterator[Json]:
    """What one record holds: itself where nothing is wrapped. A Firehose may join several texts in one.

    Raises:
        Malformed: it is no text of JSON, or no base64.
    """
    inside = table(record, "kinesis") or table(record, "Sns") or table(record)
    notified = text(inside, "Message") if word(inside, "Type") == "notification" else None
    data, said = text(inside, "data"), notified or text(inside, "body")
    if data is not None:
        for piece in _pieces(_decoded(data)):
            yield _content(piece, "$.data")
    elif said is not None:
        yield _with_visibility(_content(said.encode("utf-8", "replace"), "$.Message"), inside)
    else:
        yield record


def _decoded(data: str) -> bytes:
    try:
        return base64.b64decode(data, validate=True)
    except (binascii.Error, ValueError):
        raise Malformed("Expected base64 - at `$.data`") from None


def _pieces(content: bytes) -> list[bytes]:
    """The texts that were joined by line ends; a single one may have line ends within."""
    if not isinstance(read_json(content), Refused):
        return [content]
    return [line for line in content.splitlines() if line.strip()]


def _content(said: bytes, place: str) -> Json:
    content = read_json(said)
    if isinstance(content, Refused):
        raise Malformed(f"{content.detail} - at `{place}`")
    return content


def _with_visibility(content: Json, notification: Json) -> Json:
    """An SNS notification says beside its message who may see it."""
    seen_by = table(notification, "MessageAttributes", "MessageVisibility")
    said = text(seen_by, "Value") or text(seen_by, "value")
    return content | {"MessageVisibility": said} if isinstance(content, dict) and said else content


def bearer_or_firehose(instance: Instance) -> Verifier:
    """The token as API destinations show it, or in the header that a Firehose has for it.

    Raises:
        ValueError: there is no token.
    """
    return ChosenProof(
        SharedSecret(instance.tokens),
        SharedSecret(instance.tokens, header=FIREHOSE_KEY),
        is_other=lambda request: request.headers.get(FIREHOSE_KEY) is not None,
    )


def firehose_answer(instance: Instance, request: WebhookRequest) -> ProviderAnswer | None:  # noqa: ARG001 - the same for all
    """The answer that a Firehose takes for a receipt: its own request id, and the time in milliseconds."""
    request_id = request.headers.get(FIREHOSE_REQUEST)
    if request_id is None:
        return None
    answer = {"requestId": request_id, "timestamp": int(request.received_at.timestamp() * 1000)}
    return ProviderAnswer(body=json.dumps(answer).encode(), content_type="application/json")
