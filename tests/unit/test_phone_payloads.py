"""What telephone providers tell, from published payloads and the documented fields, and how they prove themselves."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import pytest

from schemas.interaction import Interaction
from streams.connectors.connector_contract import Draft, Headers, Ignored, Instance, WebhookRequest
from streams.connectors.phone.twilio_channel import TWILIO
from streams.connectors.phone.twilio_signature import TwilioSignature
from streams.connectors.phone.vonage_jwt import VonageJwt
from tests.payload_mutilations import mutilations
from tests.payload_readings import lines_of, reading_of
from tests.senders.phone_senders import (
    AIRCALL_MESSAGE,
    TWILIO_MESSAGE,
    VONAGE_MESSAGE,
    aircall_event,
    contact_event,
    twilio_call,
    vonage_call,
)
from tests.senders.sender import NOW

CALLER = "+14155550100"
CA = "CA" + "1" * 32

PUBLISHED = {
    "aircall_call_created.json": ("aircall", ["call_started agent:123 outbound 123 phone:+18001234567"]),
    "aws_connect-event.json": (
        "amazon-connect",
        ["call_started customer:+14802021091 inbound Acxsada-asdasdaxA phone:+14802021091"],
    ),
    "aws_connect_contact_event_connected_to_agent.json": (
        "amazon-connect",
        ["call_answered agent:12345678-1234-1234-1234-123456789012 inbound 11111111-1111-1111-1111-111111111111 None"],
    ),
    # The published text has commas before closing brackets; it is no JSON.
    "aws_connect_contact_event_disconnected.txt": ("amazon-connect", ["refused: not_json"]),
    "vonage_get_call.json": (
        "vonage",
        [
            "call_started agent:None outbound CON-d4e1389a-b2c8-4621-97eb-c6f3a2b51c72 phone:+1234567890",
            "call_answered customer:+1234567890 outbound CON-d4e1389a-b2c8-4621-97eb-c6f3a2b51c72 phone:+1234567890",
            "call_ended system:None outbound CON-d4e1389a-b2c8-4621-97eb-c6f3a2b51c72 phone:+1234567890",
        ],
    ),
}


@pytest.mark.parametrize("name", PUBLISHED)
def test_published_payloads(shared: Path, name: str) -> None:
    connector, expected = PUBLISHED[name]
    assert lines_of(connector, (shared / "payloads" / "phone" / name).read_bytes()) == expected


def test_a_published_list_of_calls_tells_each_of_them(shared: Path) -> None:
    told = lines_of("vonage", (shared / "payloads" / "phone" / "vonage_list_calls.json").read_bytes())
    assert [line.split()[0] for line in told] == ["call_started", "call_answered", "call_ended"] * 3
    assert len({line.split()[3] for line in told}) == 3


def form(fields: Mapping[str, str]) -> bytes:
    return urlencode(fields).encode()


@pytest.mark.parametrize(
    ("fields", "expected"),
    [
        (twilio_call("ringing"), f"call_started customer:{CALLER} inbound {CA} phone:{CALLER}"),
        (twilio_call("in-progress"), f"call_answered agent:None inbound {CA} phone:{CALLER}"),
        (twilio_call("in-progress", Digits="1"), "ignored: in_progress"),
        (twilio_call("completed"), f"call_ended system:None inbound {CA} phone:{CALLER}"),
        (twilio_call("no-answer"), f"call_ended system:None inbound {CA} phone:{CALLER}"),
        (
            twilio_call("initiated", Direction="outbound-api", From="+18005550199", To=CALLER),
            f"call_started agent:None outbound {CA} phone:{CALLER}",
        ),
        (
            twilio_call("in-progress", Direction="outbound-api", From="+18005550199", To=CALLER),
            f"call_answered customer:{CALLER} outbound {CA} phone:{CALLER}",
        ),
        (
            twilio_call("ringing", From="client:alice", To=CALLER),
            f"call_started agent:alice outbound {CA} phone:{CALLER}",
        ),
        (
            twilio_call("in-progress", CallSid="CA9", ParentCallSid=CA, Direction="outbound-dial", To="client:alice"),
            f"call_answered agent:alice inbound {CA} phone:{CALLER}",
        ),
        (twilio_call("completed", CallSid="CA9", ParentCallSid=CA, Direction="outbound-dial"), "ignored: in_progress"),
        (
            twilio_call("in-progress", DialCallStatus="completed", DialCallSid="CA9", DialCallDuration="30"),
            f"call_answered agent:None inbound {CA} phone:{CALLER}",
        ),
        (twilio_call("in-progress", DialCallStatus="no-answer", DialCallSid="CA9"), "ignored: in_progress"),
        (twilio_call("ringing", From="+266696687"), f"call_started customer:None inbound {CA} None"),
        (TWILIO_MESSAGE, f"message customer:{CALLER} inbound sms:+18005550199:{CALLER} phone:{CALLER} | It is broken"),
        (
            TWILIO_MESSAGE | {"From": f"whatsapp:{CALLER}", "To": "whatsapp:+18005550199", "Body": "", "NumMedia": "1"},
            f"message customer:{CALLER} inbound whatsapp:+18005550199:{CALLER} phone:{CALLER}",
        ),
        (
            {"MessageSid": "SM1", "MessageStatus": "delivered", "From": "+1800", "To": CALLER},
            "ignored: receipt",
        ),
        ({"RecordingSid": "RE1", "RecordingStatus": "completed"}, "ignored: other_subject"),
        ({"From": CALLER}, "refused: malformed_payload"),
    ],
)
def test_twilio_tells(fields: dict[str, str], expected: str) -> None:
    assert lines_of("twilio", form(fields)) == [expected]
    assert lines_of("twilio", fields) == [expected]  # as some tests and logs write it


def test_where_a_menu_takes_calls_first_only_somebody_dialled_answers() -> None:
    menu = {"options": {"menu": "true"}}
    assert lines_of("twilio", form(twilio_call("in-progress")), **menu) == ["ignored: in_progress"]
    assert lines_of("vonage", vonage_call("answered"), **menu) == ["ignored: in_progress"]
    leg = twilio_call("in-progress", CallSid="CA9", ParentCallSid=CA, Direction="outbound-dial", To="client:alice")
    assert lines_of("twilio", form(leg), **menu)[0].startswith("call_answered agent:alice")


def test_twilio_calls_have_the_time_that_twilio_says() -> None:
    (draft,) = reading_of("twilio", form(twilio_call("ringing")))
    assert isinstance(draft, Draft)
    assert isinstance(draft.event, Interaction)
    assert draft.event.occurred_at.isoformat() == "2026-03-02T09:29:50+00:00"
    assert (draft.event.id, draft.event.source_status, draft.event.channel) == (f"{CA}:started", "ringing", "phone")


def test_a_call_of_twilios_api_tells_the_whole_of_it() -> None:
    record = {
        "sid": CA,
        "status": "completed",
        "direction": "outbound-api",
        "from": "+18005550199",
        "to": CALLER,
        "start_time": "Mon, 02 Mar 2026 09:00:00 +0000",
        "end_time": "Mon, 02 Mar 2026 09:01:00 +0000",
        "duration": "45",
    }
    drafts = [item for item in reading_of("twilio", {"calls": [record]}) if isinstance(item, Draft)]
    assert [(draft.event.id.partition(":")[2], draft.event.occurred_at.strftime("%M:%S")) for draft in drafts] == [
        ("started", "00:00"),
        ("answered", "00:15"),
        ("ended", "01:00"),
    ]


@pytest.mark.parametrize(
    ("direction", "author", "whither"),
    [
        ("inbound", f"customer:{CALLER}", "inbound"),
        ("outbound-api", "agent:None", "outbound"),
        ("outbound-reply", "bot:None", "outbound"),
    ],
)
def test_messages_of_twilios_api(direction: str, author: str, whither: str) -> None:
    ours, theirs = "+18005550199", CALLER
    from_, to = (theirs, ours) if direction == "inbound" else (ours, theirs)
    record = {"sid": "SM1", "direction": direction, "from": from_, "to": to, "body": "Hello", "num_media": "0"}
    assert lines_of("twilio", record) == [f"message {author} {whither} sms:{ours}:{theirs} phone:{theirs} | Hello"]


def test_what_reached_nobody_is_no_answer() -> None:
    record = {"sid": "SM1", "direction": "outbound-api", "from": "+18005550199", "to": CALLER, "status": "failed"}
    assert lines_of("twilio", record) == ["ignored: not_delivered"]


def test_event_streams_and_conversations_of_twilio() -> None:
    data = {
        "messageSid": "SM1",
        "from": CALLER,
        "to": "+18005550199",
        "body": "Hello",
        "timestamp": "2026-03-02T09:00:00Z",
    }
    kind = "com.twilio.messaging.inbound-message.received"
    assert lines_of("twilio", [{"specversion": "1.0", "type": kind, "id": "E1", "data": data}]) == [
        f"message customer:{CALLER} inbound sms:+18005550199:{CALLER} phone:{CALLER} | Hello"
    ]
    said = {"EventType": "onMessageAdded", "ConversationSid": "CH1", "MessageSid": "IM1", "Body": "Hello"}
    assert lines_of("twilio", form(said | {"Author": CALLER})) == [
        f"message customer:{CALLER} inbound CH1 phone:{CALLER} | Hello"
    ]
    assert lines_of("twilio", form(said | {"Author": "alice"})) == ["message agent:alice outbound CH1 None | Hello"]


@pytest.mark.parametrize(
    ("event", "expected"),
    [
        (vonage_call("started"), f"call_started customer:{CALLER} inbound CON-1 phone:{CALLER}"),
        (vonage_call("answered"), f"call_answered agent:None inbound CON-1 phone:{CALLER}"),
        (vonage_call("completed", start_time="x"), f"call_ended system:None inbound CON-1 phone:{CALLER}"),
        (
            vonage_call("answered", direction="outbound", to="14155550100", **{"from": "18005550199"}),
            f"call_answered customer:{CALLER} outbound CON-1 phone:{CALLER}",
        ),
        (vonage_call("record"), "ignored: in_progress"),
        (VONAGE_MESSAGE, f"message customer:{CALLER} inbound sms:+18005550199:{CALLER} phone:{CALLER} | It is broken"),
        (
            {
                "message_uuid": "m-1",
                "from": {"type": "whatsapp", "number": "14155550100"},
                "to": {"type": "whatsapp", "number": "18005550199"},
                "timestamp": "2026-03-02T09:00:00Z",
                "direction": "inbound",
                "message": {"content": {"type": "text", "text": "Hello"}},
            },
            f"message customer:{CALLER} inbound whatsapp:+18005550199:{CALLER} phone:{CALLER} | Hello",
        ),
        (
            VONAGE_MESSAGE | {"channel": "messenger", "from": "14155550100", "to": "77"},
            "message customer:14155550100 inbound social:77:14155550100 meta_user:14155550100 | It is broken",
        ),
        (
            VONAGE_MESSAGE | {"channel": "viber_service", "from": "14155550100", "to": "77"},
            "message customer:14155550100 inbound social:77:14155550100 None | It is broken",
        ),
        ({"message_uuid": "m-1", "status": "delivered", "to": "14155550100"}, "ignored: receipt"),
        (
            {"msisdn": "14155550100", "to": "18005550199", "messageId": "m-1", "text": "Hello", "type": "text"},
            f"message customer:{CALLER} inbound sms:+18005550199:{CALLER} phone:{CALLER} | Hello",
        ),
        ({"msisdn": "14155550100", "messageId": "m-1", "status": "delivered"}, "ignored: receipt"),
    ],
)
def test_vonage_tells(event: dict[str, Any], expected: str) -> None:
    assert lines_of("vonage", event) == [expected]


@pytest.mark.parametrize(
    ("event", "expected"),
    [
        (contact_event("INITIATED"), "call_started customer:None inbound contact-1 None"),
        (contact_event("INITIATED", initiationMethod="OUTBOUND"), "call_started agent:None outbound contact-1 None"),
        (contact_event("INITIATED", initiationMethod="TRANSFER"), "ignored: without_effect"),
        (contact_event("QUEUED", queueInfo={"queueArn": "a/queue/q"}), "assigned system:None - contact-1 None"),
        (
            contact_event("CONNECTED_TO_AGENT", AgentInfo={"AgentArn": "a/agent/7"}, initialContactId="contact-0"),
            "call_answered agent:7 inbound contact-0 None",
        ),
        (
            contact_event("DISCONNECTED", channel="CHAT", disconnectReason="CUSTOMER_DISCONNECT"),
            "call_ended customer:None inbound contact-1 None",
        ),
        (contact_event("COMPLETED"), "ignored: without_effect"),
        (contact_event("COMPLETED", channel="TASK"), "status_changed system:None - contact-1 None"),
        (contact_event("CONTACT_DATA_UPDATED"), "ignored: without_effect"),
        (contact_event("INITIATED", channel="EMAIL"), "message customer:None inbound contact-1 None"),
        (contact_event("CONNECTED_TO_AGENT", initiationMethod="MONITOR"), "ignored: without_effect"),
        (
            contact_event("INITIATED", channel="EMAIL", initiationMethod="FLOW"),
            "message bot:None outbound contact-1 None",
        ),
        (
            contact_event("QUEUED", queueInfo={"enqueueTimestamp": "1970-01-01T00:00:00.001Z"}),
            "assigned system:None - contact-1 None",
        ),
        ({"detail-type": "Contact Lens Matched", "source": "aws.connect"}, "ignored: other_subject"),
    ],
)
def test_amazon_connect_tells(event: dict[str, Any], expected: str) -> None:
    assert lines_of("amazon-connect", event) == [expected]


def test_a_contact_record_tells_the_whole_contact() -> None:
    record = {
        "AWSContactTraceRecordFormatVersion": "2017-03-10",
        "ContactId": "contact-1",
        "Channel": "VOICE",
        "InitiationMethod": "INBOUND",
        "InitiationTimestamp": "2026-03-02T09:00:00Z",
        "CustomerEndpoint": {"Address": CALLER, "Type": "TELEPHONE_NUMBER"},
        "Queue": {"ARN": "a/queue/q", "EnqueueTimestamp": "2026-03-02T09:00:10Z"},
        "Agent": {"ARN": "a/agent/7", "ConnectedToAgentTimestamp": "2026-03-02T09:00:20Z"},
        "DisconnectTimestamp": "2026-03-02T09:01:00Z",
        "DisconnectReason": "AGENT_DISCONNECT",
    }
    assert lines_of("amazon-connect", record) == [
        f"call_started customer:{CALLER} inbound contact-1 phone:{CALLER}",
        f"assigned system:None - contact-1 phone:{CALLER}",
        f"call_answered agent:7 inbound contact-1 phone:{CALLER}",
        f"call_ended agent:7 inbound contact-1 phone:{CALLER}",
    ]


@pytest.mark.parametrize(
    ("event", "expected"),
    [
        (aircall_event("call.created"), f"call_started customer:{CALLER} inbound 123 phone:{CALLER}"),
        (aircall_event("call.answered", user={"id": 9}), f"call_answered agent:9 inbound 123 phone:{CALLER}"),
        (aircall_event("call.hungup"), f"call_ended system:None inbound 123 phone:{CALLER}"),
        (aircall_event("call.ended"), f"call_ended system:None inbound 123 phone:{CALLER}"),
        (aircall_event("call.assigned", assigned_to={"id": 9}), f"assigned system:None - 123 phone:{CALLER}"),
        (aircall_event("call.tagged", tags=[{"name": "vip"}]), f"tagged system:None - 123 phone:{CALLER}"),
        (
            aircall_event("call.commented", comments=[{"id": 5, "content": "Call back", "posted_by": {"id": 9}}]),
            f"message agent:9 internal 123 phone:{CALLER} | Call back",
        ),
        (aircall_event("call.voicemail_left"), f"message customer:{CALLER} inbound 123 phone:{CALLER}"),
        (aircall_event("call.hold"), "ignored: without_effect"),
        (AIRCALL_MESSAGE, f"message customer:{CALLER} inbound sms:+18005550199:{CALLER} phone:{CALLER} | It is broken"),
        (aircall_event("user.connected.v2"), "ignored: other_subject"),
        (aircall_event("team.created"), "ignored: other_subject"),
    ],
)
def test_aircall_tells(event: dict[str, Any], expected: str) -> None:
    assert lines_of("aircall", event) == [expected]


def test_the_published_vector_of_twilios_signature(shared: Path) -> None:
    vector = json.loads((shared / "payloads" / "phone" / "twilio_signature_vector.json").read_bytes())
    body = form(vector["params"])
    assert TwilioSignature([vector["auth_token"]]).sign(vector["url"], body) == vector["expected"]
    for url in (vector["url"], vector["url"].replace(".com/", ".com:443/")):
        headers = Headers([(TwilioSignature.HEADER, vector["expected"])])
        request = WebhookRequest("POST", headers, body, NOW, url=url)
        assert TwilioSignature([vector["auth_token"]]).verify(request).genuine
    assert lines_of("twilio", vector["params"]) == ["ignored: without_effect"]


def test_a_json_body_is_covered_by_its_digest_in_the_address(shared: Path) -> None:
    vector = json.loads((shared / "payloads" / "phone" / "twilio_signature_vector.json").read_bytes())
    url = f"{vector['url']}&bodySHA256={vector['json_body_sha256']}"
    body = vector["json_body"].encode()
    signature = TwilioSignature(["12345"])
    headers = Headers([(TwilioSignature.HEADER, signature.sign(url, body))])
    assert signature.verify(WebhookRequest("POST", headers, body, NOW, url=url)).genuine
    assert signature.verify(WebhookRequest("POST", headers, body + b" ", NOW, url=url)).refusal == "bad_signature"


def test_vonages_token_is_one_that_a_library_writes() -> None:
    jwt = pytest.importorskip("jwt", reason="needs PyJWT to write a token independently of our own code")
    secret, body = "a signature secret of 32 characters or more", b'{"status":"answered"}'
    digest = "5f44ee8f7f8cd8dd2f4ed25d6b4a6a8b"  # of another body
    for payload_hash, refusal in ((None, "bad_signature"), (digest, "bad_signature"), (sha256(body), None)):
        token = jwt.encode({"iat": int(NOW.timestamp()), "payload_hash": payload_hash}, secret, algorithm="HS256")
        request = WebhookRequest("POST", Headers([("authorization", f"Bearer {token}")]), body, NOW)
        assert VonageJwt([secret]).verify(request).refusal == refusal
    unsigned = jwt.encode({"iat": 0}, "", algorithm="none")
    request = WebhookRequest("POST", Headers([("authorization", f"Bearer {unsigned}")]), body, NOW)
    assert VonageJwt([secret]).verify(request).refusal == "bad_signature"


def sha256(body: bytes) -> str:
    import hashlib

    return hashlib.sha256(body).hexdigest()


def test_twilio_hears_that_there_is_nothing_to_do() -> None:
    connector = TWILIO.build(Instance("twilio", "twilio", secrets=("token",)))
    thanks = connector.acknowledgement(WebhookRequest("POST", Headers([]), b"", NOW))
    assert thanks is not None
    assert (thanks.content_type, thanks.body.endswith(b"<Response/>")) == ("text/xml", True)


@pytest.mark.parametrize(
    ("connector", "payload"),
    [
        ("twilio", twilio_call("in-progress", DialCallStatus="completed", DialCallDuration="9", DialCallSid="CA9")),
        ("twilio", TWILIO_MESSAGE | {"MediaContentType0": "image/png"}),
        (
            "twilio",
            {"sid": CA, "status": "completed", "duration": "9", "end_time": "2026-03-02", "direction": "inbound"},
        ),
        ("vonage", vonage_call("completed", _links={}, duration="2", end_time="2026-03-02T09:00:00Z")),
        ("vonage", VONAGE_MESSAGE),
        ("amazon-connect", contact_event("QUEUED", queueInfo={"queueArn": "a/b"}, agentInfo={"agentArn": "a/b"})),
        ("aircall", aircall_event("call.commented", comments=[{"id": 1, "content": "Hm"}], tags=[{"name": "vip"}])),
        ("aircall", AIRCALL_MESSAGE),
    ],
)
def test_mutilated_payloads_break_nothing(connector: str, payload: dict[str, Any]) -> None:
    for changed in mutilations(payload):
        for line in lines_of(connector, changed):
            assert line.startswith(("ignored", "refused")) or ":" in line.split()[1]


@pytest.mark.parametrize("connector", ["twilio", "vonage", "amazon-connect", "aircall"])
@pytest.mark.parametrize("depth", [100, 900, 960, 980, 30_000])
def test_nesting_breaks_nothing(connector: str, depth: int) -> None:
    for opening, closing in ((b"[", b"]"), (b'{"detail":', b"}")):
        (said, *_) = reading_of(connector, opening * depth + b"1" + closing * depth)
        assert not isinstance(said, Draft | Ignored)
