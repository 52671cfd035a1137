"""Amazon Connect beside its contact events: what AWS wraps around records, chats, and streams that tell of nothing."""

import base64
import json
from typing import Any

import pytest

from streams.connectors.connector_contract import Draft, Headers, Instance, WebhookRequest
from streams.connectors.phone.amazon_connect_channel import AMAZON_CONNECT
from tests.payload_readings import lines_of, reading_of, request_of
from tests.senders.sender import NOW

RECORD = {
    "AWSContactTraceRecordFormatVersion": "2017-03-10",
    "ContactId": "contact-1",
    "Channel": "VOICE",
    "InitiationMethod": "INBOUND",
    "InitiationTimestamp": "2026-03-02T09:00:00Z",
}
TOLD = "call_started customer:None inbound {} None"
SAID = {
    "Id": "m-1",
    "Type": "MESSAGE",
    "ContentType": "text/plain",
    "Content": "Where is my order?",
    "AbsoluteTime": "2026-03-02T09:00:05.100Z",
    "ParticipantId": "p-1",
    "ParticipantRole": "CUSTOMER",
    "ContactId": "contact-2",
    "InitialContactId": "contact-1",
}


def encoded(*records: dict[str, Any]) -> str:
    return base64.b64encode("\n".join(map(json.dumps, records)).encode()).decode()


def notified(message: dict[str, Any], **attributes: str) -> dict[str, Any]:
    said = {name: {"Type": "String", "Value": value} for name, value in attributes.items()}
    return {"Type": "Notification", "TopicArn": "t", "Message": json.dumps(message), "MessageAttributes": said}


@pytest.mark.parametrize(
    "batch",
    [
        pytest.param({"Records": [{"eventSource": "aws:kinesis", "kinesis": {"data": encoded(RECORD)}}]}, id="kinesis"),
        pytest.param([{"eventSource": "aws:kinesis", "data": encoded(RECORD)}], id="pipe"),
        pytest.param({"requestId": "r", "timestamp": 1, "records": [{"data": encoded(RECORD)}]}, id="firehose"),
        pytest.param({"Records": [{"eventSource": "aws:sqs", "body": json.dumps(RECORD)}]}, id="sqs"),
        pytest.param({"Records": [{"EventSource": "aws:sns", "Sns": notified(RECORD)}]}, id="sns"),
        pytest.param(notified(RECORD), id="notification"),
    ],
)
def test_a_record_is_the_same_in_whatever_it_arrives(batch: Any) -> None:
    """AWS Lambda Developer Guide, "Using Lambda with Kinesis", "SQS", "SNS"; Firehose, "HTTP endpoint delivery"."""
    assert lines_of("amazon-connect", batch) == lines_of("amazon-connect", RECORD) == [TOLD.format("contact-1")]


def test_a_firehose_joins_several_records_and_one_that_is_broken_harms_no_other() -> None:
    joined = {"data": encoded(RECORD, RECORD | {"ContactId": "contact-9"})}
    told = lines_of("amazon-connect", {"records": [joined, {"data": "%"}, {"data": encoded(RECORD)}]})
    assert told == [
        TOLD.format("contact-1"),
        TOLD.format("contact-9"),
        "refused: malformed_payload",
        TOLD.format("contact-1"),
    ]


@pytest.mark.parametrize(
    ("changed", "expected"),
    [
        ({}, "message customer:p-1 inbound contact-1 None | Where is my order?"),
        ({"ParticipantRole": "AGENT"}, "message agent:None outbound contact-1 None | Where is my order?"),
        ({"ParticipantRole": "SUPERVISOR"}, "message agent:None outbound contact-1 None | Where is my order?"),
        ({"ParticipantRole": "CUSTOM_BOT"}, "message bot:None outbound contact-1 None | Where is my order?"),
        ({"ParticipantRole": "SYSTEM"}, "message system:None - contact-1 None | Where is my order?"),
        ({"InitialContactId": None}, "message customer:p-1 inbound contact-2 None | Where is my order?"),
        ({"ParticipantRole": "SOMEBODY"}, "ignored: author_not_said"),
        ({"Type": "CARD"}, "refused: not_understood"),
        *(
            ({"Type": "EVENT", "ContentType": f"application/vnd.amazonaws.connect.event.{event}"}, f"ignored: {reason}")
            for event, reason in [
                ("typing", "typing"),
                ("participant.joined", "participant_changed"),
                ("message.read", "receipt"),
                ("chat.ended", "told_elsewhere"),
                ("transfer.succeeded", "without_effect"),
            ]
        ),
    ],
)
def test_what_is_written_in_a_chat(changed: dict[str, Any], expected: str) -> None:
    """Connect, "Enable real-time chat message streaming": `Type`, `ContentType` and `ParticipantRole`."""
    assert lines_of("amazon-connect", SAID | changed) == [expected]


def test_a_chats_message_has_its_own_id_time_and_channel() -> None:
    file = {"AttachmentName": "order.pdf", "ContentType": "application/pdf", "AttachmentId": "a"}
    (made,) = reading_of("amazon-connect", SAID | {"Type": "ATTACHMENT", "Content": None, "Attachments": [file]})
    assert isinstance(made, Draft)
    event: Any = made.event
    assert (event.id, event.channel, event.occurred_at.isoformat()) == (
        "m-1",
        "chat",
        "2026-03-02T09:00:05.100000+00:00",
    )
    assert [(each.name, each.media_type) for each in event.attachments] == [("order.pdf", "application/pdf")]


@pytest.mark.parametrize(("seen_by", "visibility"), [("ALL", "public"), ("CUSTOMER", "public"), ("AGENT", "internal")])
def test_what_only_agents_may_see_is_internal(seen_by: str, visibility: str) -> None:
    """Connect, "Use the Amazon SNS payload": the attribute `MessageVisibility` beside the message."""
    (made,) = reading_of("amazon-connect", notified(SAID | {"ParticipantRole": "SYSTEM"}, MessageVisibility=seen_by))
    assert isinstance(made, Draft)
    assert made.event.visibility == visibility  # type: ignore[union-attr]


def test_a_stored_transcript_tells_every_message_of_its_contact() -> None:
    kept = {key: value for key, value in SAID.items() if not key.endswith("ContactId")}
    answer = kept | {"Id": "m-2", "ParticipantRole": "AGENT", "Content": "On its way"}
    stored = {"ContactId": "contact-2", "InitialContactId": "contact-1", "Transcript": [kept, answer]}
    assert lines_of("amazon-connect", stored) == [
        "message customer:p-1 inbound contact-1 None | Where is my order?",
        "message agent:None outbound contact-1 None | On its way",
    ]


@pytest.mark.parametrize(
    ("payload", "reason"),
    [
        ({"AgentARN": "a", "EventType": "HEART_BEAT", "CurrentAgentSnapshot": {"Contacts": []}}, "other_subject"),
        ({"EventType": "STARTED", "ContactId": "c", "Channel": "VOICE", "LanguageCode": "en-US"}, "other_subject"),
        ({"EventType": "SEGMENTS", "ContactId": "c", "Channel": "CHAT", "Segments": [{}]}, "other_subject"),
        ({"Channel": "VOICE", "CustomerMetadata": {"ContactId": "c"}, "Transcript": [{}]}, "other_subject"),
        ({"Type": "SubscriptionConfirmation", "Message": "Visit", "SubscribeURL": "https://x"}, "connection"),
    ],
)
def test_streams_that_move_no_promise(payload: dict[str, Any], reason: str) -> None:
    """Connect, "Agent event streams data model", "Real-time contact analysis segment streams", "Output files"."""
    assert lines_of("amazon-connect", payload) == [f"ignored: {reason}"]


@pytest.mark.parametrize(
    ("headers", "genuine"),
    [
        ({"authorization": "Bearer t"}, True),
        ({"x-careline-token": "t"}, True),
        ({"x-amz-firehose-access-key": "t"}, True),
        ({"x-amz-firehose-access-key": "other"}, False),
        ({}, False),
    ],
)
def test_a_firehose_shows_the_token_in_its_own_header(headers: dict[str, str], genuine: bool) -> None:
    connector = AMAZON_CONNECT.build(Instance("amazon-connect", "amazon-connect", tokens=("t",)))
    assert connector.verifier.verify(request_of({}, headers)).genuine is genuine


def test_a_firehose_hears_its_own_request_id() -> None:
    """Firehose, "HTTP endpoint delivery request and response specifications": any other answer is a failed delivery."""
    instance = Instance("amazon-connect", "amazon-connect", tokens=("t",))
    answer = AMAZON_CONNECT.receipt
    assert answer is not None
    heard = answer(instance, WebhookRequest("POST", Headers([("X-Amz-Firehose-Request-Id", "r-1")]), b"{}", NOW))
    assert heard is not None
    assert heard.content_type == "application/json"
    assert json.loads(heard.body) == {"requestId": "r-1", "timestamp": int(NOW.timestamp() * 1000)}
    assert answer(instance, request_of({})) is None
