"""What activities, notifications and chat messages of Teams mean: published ones, documented cases, and broken ones."""

import copy
import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from schemas.interaction import Author, Interaction
from streams.connectors.connector_contract import Draft, Ignored, Reading, Refused
from streams.connectors.messengers.teams_channel import TEAMS
from tests.payload_readings import reading_of
from tests.senders.teams_senders import CUSTOMER_TENANT, OUR_TENANT, THREAD, activity

CHAT = "19:8ea0e38b_97f62344@unq.gbl.spaces"
CHANNEL = "19:help@thread.tacv2"


def read(payload: Any, **instance: Any) -> Reading:
    return reading_of(TEAMS, payload, **instance)


def only(payload: Any, **instance: Any) -> Interaction:
    (draft,) = read(payload, **instance)
    assert isinstance(draft, Draft), draft
    assert isinstance(draft.event, Interaction)
    return draft.event


def identities(payload: Any, **instance: Any) -> tuple[str, ...]:
    (draft,) = read(payload, **instance)
    assert isinstance(draft, Draft), draft
    return draft.identities


MEGAN, JANE = "7faf8ab2-3d56-4244-b585-20c8a42ed2b8", "29:9e52142b-5e5e-4d7b-bb3e-e82dcf620000"
MEGANS_CHAT = (
    "a:17I0kl9EkpE1O9PH5TWrzrLNwnWWcfrU7QZjKR0WSfOpzbfcAg2IaydGElSo10tVr4C7Fc6GtieTJX663WuJCc1uA83n4CSrHSgGBj5XNYLc"
    "VlJAs2ZX8DbYBPck201w-"
)
REPLIERS_CHAT = MEGANS_CHAT.replace("kl9", "kl8")  # another one: the document has it so
MICROSOFT = "teams_tenant:72f988bf-86f1-41af-91ab-2d7cd011db47"
JANES_THREAD = "19:aebd0ad4d6ab42c8b9ed19c251c2fc37@thread.skype;messageid=1481567603816"
LIKED_THREAD = "19:3629591d4b774aa08cb0887902eee7c1@thread.skype;messageid=1575667808184"
LIKER = "c33aafc4-646d-4543-9d4c-abd28e4d2110"
PERSONAL = "teams_tenant:00000000-0000-0000-0000-0000000000001"

RICH, ASKED = "Hello Teams TestBot.Sending bold-italic rich text", "Hey Pranav Smith check out this message"
REPLIER, TODO = "28:c9e8c047-2a34-40a1-b28a-b162d5f5327c", "a:1pL6i0oY3C0K8oAj8"
TESTER, NOTIFIER = "00000000-0000-0000-0000-0000000000020", "28:e4fda94a-4b80-40eb-9bf0-6314491bc793"
ASSIGNED = "John Phillips assigned you a weekly todo"

MESSAGES = [
    ("activity_personal_message", "customer", TESTER, "personal-chat-id", PERSONAL, "Hello, Bot!"),
    ("docs_bots-conversations_00_message", "customer", MEGAN, MEGANS_CHAT, MICROSOFT, "Hello Teams TestBot"),
    ("docs_conversation-messages_00_message", "customer", MEGAN, MEGANS_CHAT, MICROSOFT, RICH),
    ("docs_conversation-messages_01_message", "bot", REPLIER, REPLIERS_CHAT, None, "My bot's reply"),
    ("docs_conversation-messages_05_message", "bot", NOTIFIER, TODO, None, ASSIGNED),
    ("docs_channel-and-group-conversations_00_message", "customer", JANE, JANES_THREAD, f"teams_user:{JANE}", ASKED),
    ("docs_channel-and-group-conversations_01_message", "customer", JANE, JANES_THREAD, f"teams_user:{JANE}", ASKED),
]
WITHOUT_EVENT = {
    "bots-notifications": ["participant_changed"] * 3 + ["participant_changed", "other_subject", "other_subject"],
    "subscribe-to-conversation-events": ["other_subject"] * 4
    + ["participant_changed", "participant_changed", "participant_changed"]
    + ["other_subject"] * 5,
}


def published(shared: Path, name: str) -> bytes:
    path = shared / "payloads" / "teams" / f"{name}.json"
    if not path.is_file():
        pytest.skip("needs the published payloads in ../shared/payloads")
    return path.read_bytes()


@pytest.mark.parametrize(("name", "kind", "author", "conversation", "hint", "text"), MESSAGES)
def test_published_messages(
    shared: Path, name: str, kind: str, author: str, conversation: str, hint: str | None, text: str
) -> None:
    payload = published(shared, name)
    event = only(payload)
    assert (event.type, event.author.kind, event.author.id) == ("message", kind, author)
    assert (event.conversation_id, event.channel, event.visibility) == (f"teams:{conversation}", "teams", "public")
    assert event.direction == ("inbound" if kind == "customer" else "outbound")
    assert (identities(payload) or (None,))[0] == hint
    assert (event.text, event.automated) == (text, "bot" if kind == "bot" else None)


@pytest.mark.parametrize("name", ["bots-notifications_08", "subscribe-to-conversation-events_12"])
def test_published_reactions(shared: Path, name: str) -> None:
    event = only(published(shared, f"docs_{name}_messageReaction"))
    assert (event.type, event.author, event.direction) == ("reaction", Author("customer", LIKER), None)
    assert (event.conversation_id, event.raw_reference) == (f"teams:{LIKED_THREAD}", "teams:message:1575667808184")


@pytest.mark.parametrize("name", ["bots-notifications_09", "subscribe-to-conversation-events_13"])
def test_published_reactions_that_are_taken_back(shared: Path, name: str) -> None:
    assert read(published(shared, f"docs_{name}_messageReaction")) == [Ignored("reaction_removed")]


def test_published_changes_of_conversations_mean_nothing_here(shared: Path) -> None:
    for page, reasons in WITHOUT_EVENT.items():
        for number, reason in enumerate(reasons):
            assert read(published(shared, f"docs_{page}_{number:02}_conversationUpdate")) == [Ignored(reason)]
    for name in ("signin_failure_invoke_activity", "suggested_action_submit_invoke_activity"):
        assert read(published(shared, name)) == [Ignored("command")]


def test_a_message_in_a_thread() -> None:
    event = only(activity())
    assert (event.id, event.type, event.author) == ("1772443790000", "message", Author("customer", "anna"))
    assert (event.conversation_id, event.inbox, event.text) == (f"teams:{THREAD}", CHANNEL, "it is broken")
    assert event.occurred_at.isoformat() == "2026-03-02T09:29:50.123456+00:00"
    assert identities(activity()) == (f"teams_tenant:{CUSTOMER_TENANT}", "teams_user:anna")


def test_edits_and_reactions_have_ids_of_their_own_and_a_deletion_has_that_of_its_message() -> None:
    made = [only(activity(kind)) for kind in ("message", "messageUpdate", "messageDelete")]
    made.append(only(activity("messageReaction", reactionsAdded=[{"type": "like"}], replyToId="1772443790000")))
    assert [event.type for event in made] == ["message", "edited", "deleted", "reaction"]
    assert {event.raw_reference for event in made} == {"teams:message:1772443790000"}
    assert {event.conversation_id for event in made} == {f"teams:{THREAD}"}
    # What takes a message away has its id in a higher version.
    assert len({(event.id, event.version) for event in made}) == 4
    assert [(event.id, event.version) for event in (made[0], made[2])] == [("1772443790000", 0), ("1772443790000", 1)]
    assert (made[1].text, made[3].text) == ("it is broken", "like")


def test_a_deleted_message_may_come_as_an_update_and_may_come_back() -> None:
    gone = only(activity("messageUpdate", channelData={"eventType": "softDeleteMessage"}))
    back = only(activity("messageUpdate", channelData={"eventType": "undeleteMessage"}))
    assert (gone.type, gone.id, gone.version) == ("deleted", "1772443790000", 1)
    assert (back.type, back.id, back.version, back.text) == ("message", "1772443790000", 2, "it is broken")


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        ({"text": "<at>Help</at>&nbsp;it is broken\n"}, "it is broken"),
        ({"text": "Hi <at>Help</at>, ask <at>Bob</at>"}, "Hi , ask Bob"),
        ({"text": "<div><at>Help</at> it <b>is</b></div><div>broken</div>", "textFormat": "xml"}, "it is\nbroken"),
        (
            {"text": "", "attachments": [{"contentType": "text/html", "content": "<p>it is</p>broken"}]},
            "it is\n\nbroken",
        ),
        ({"text": "1 < 2 & 3 > 2"}, "1 < 2 & 3 > 2"),
        ({"text": None}, None),
        (
            {"recipient": None, "text": "<at>Desk</at> ask <at>Bob</at>"}
            | {"entities": [{"type": "mention", "text": "<at>Desk</at>", "mentioned": {"id": "w", "name": "Desk"}}]},
            "ask Bob",
        ),
    ],
)
def test_the_text_is_what_the_person_wrote(words: dict[str, Any], expected: str | None) -> None:
    assert only(activity(**words)).text == expected


@pytest.mark.parametrize(
    ("sender", "kind", "hint"),
    [
        ({"id": "29:1", "aadObjectId": "anna"}, "customer", f"teams_tenant:{CUSTOMER_TENANT}"),
        ({"id": "29:1", "aadObjectId": "ours"}, "agent", f"teams_tenant:{CUSTOMER_TENANT}"),
        ({"id": "29:ours", "aadObjectId": "x"}, "agent", f"teams_tenant:{CUSTOMER_TENANT}"),
        ({"id": "29:1", "tenantId": OUR_TENANT}, "agent", f"teams_tenant:{CUSTOMER_TENANT}"),
        ({"id": "29:1", "tenantId": "third"}, "customer", "teams_tenant:third"),
        ({"id": "29:1", "userPrincipalName": "bob@ours.example"}, "agent", f"teams_tenant:{CUSTOMER_TENANT}"),
        ({"id": "28:1"}, "bot", f"teams_tenant:{CUSTOMER_TENANT}"),
        ({"id": "x", "role": "bot"}, "bot", f"teams_tenant:{CUSTOMER_TENANT}"),
        ({"id": "x", "role": "skill"}, "bot", f"teams_tenant:{CUSTOMER_TENANT}"),
    ],
)
def test_who_writes_in_a_tenant_of_a_customer(sender: dict[str, str], kind: str, hint: str) -> None:
    own: dict[str, Any] = {"own_ids": frozenset({OUR_TENANT, "ours", "29:ours"}), "own_domains": {"ours.example"}}
    assert only((activity() | {"from": sender}), **own).author.kind == kind
    assert identities((activity() | {"from": sender}), **own)[0] == hint


@pytest.mark.parametrize(
    ("sender", "kind", "found"),
    [
        ({"id": "29:1"}, "agent", ()),
        ({"id": "29:1", "role": "guest"}, "customer", ("teams_user:29:1",)),
        ({"id": "29:1", "email": "anna_acme.example#EXT#@ours.example"}, "customer", ("teams_user:29:1",)),
        ({"id": "29:1", "tenantId": "acme"}, "customer", ("teams_tenant:acme", "teams_user:29:1")),
    ],
)
def test_guests_in_our_own_tenant_are_customers(sender: dict[str, str], kind: str, found: tuple[str, ...]) -> None:
    payload = activity(channelData={"tenant": {"id": OUR_TENANT}}) | {"from": sender}
    own: dict[str, Any] = {"own_ids": frozenset({OUR_TENANT}), "own_domains": {"ours.example"}}
    assert only(payload, **own).author.kind == kind
    assert identities(payload, **own) == found


def chat_message(**words: Any) -> dict[str, Any]:
    """A chat message of Graph, in the documented shape."""
    return {
        "id": "1772443790000",
        "replyToId": None,
        "etag": "1772443790000",
        "messageType": "message",
        "createdDateTime": "2026-03-02T09:29:50Z",
        "lastEditedDateTime": None,
        "deletedDateTime": None,
        "subject": None,
        "chatId": CHAT,
        "channelIdentity": None,
        "eventDetail": None,
        "from": {"application": None, "user": {"id": "anna", "tenantId": "acme", "userIdentityType": "aadUser"}},
        "body": {"contentType": "html", "content": '<p>it is <at id="0">Bob</at></p><attachment id="1"></attachment>'},
        "attachments": [{"id": "1", "contentType": "reference", "name": "log.txt"}],
        "reactions": [],
    } | words


def notification(change: str = "created", data: dict[str, Any] | None = None, **words: Any) -> dict[str, Any]:
    data = {"@odata.type": "#Microsoft.Graph.chatMessage"} | (chat_message() if data is None else data)
    about = {"subscriptionId": "s", "clientState": "c", "tenantId": OUR_TENANT, "changeType": change}
    return about | {"resource": f"chats('{CHAT}')/messages('1772443790000')", "resourceData": data} | words


IN_CHANNEL = {"chatId": None, "channelIdentity": {"teamId": "t", "channelId": CHANNEL}}
REPLY_CONTEXT = f"https://g/$metadata#teams('t')/channels('{CHANNEL}')/messages('1772443700000')/replies/$entity"
LINK = "https://teams.microsoft.com/l/message/19%3Ahelp%40thread.tacv2/1772443790000?tenantId=acme"
LIKE = {"reactionType": "like", "createdDateTime": "2026-03-02T09:40:00Z", "user": {"user": {"id": "bob"}}}
EDIT = {"lastEditedDateTime": "2026-03-02T09:35:00Z"}


def test_a_chat_message_that_a_notification_brings() -> None:
    event = only({"value": [notification()]})
    assert (event.id, event.type, event.author) == ("1772443790000", "message", Author("customer", "anna"))
    assert (event.conversation_id, event.text) == (f"teams:{CHAT}", "it is Bob")
    assert [each.name for each in event.attachments] == ["log.txt"]
    assert identities({"value": [notification()]}) == ("teams_tenant:acme", "teams_user:anna")


@pytest.mark.parametrize(
    ("message", "place"),
    [
        (IN_CHANNEL, f"{CHANNEL};messageid=1772443790000"),
        (IN_CHANNEL | {"replyToId": "1772443700000"}, THREAD),
        ({"chatId": None, "@odata.context": REPLY_CONTEXT}, THREAD),
        ({"chatId": None, "webUrl": LINK, "replyToId": "1772443700000"}, THREAD),
    ],
    ids=["root", "reply", "reply by its context", "reply by its link"],
)
def test_a_bare_chat_message_stands_in_the_thread_that_bots_hear_of(message: dict[str, Any], place: str) -> None:
    event = only(chat_message(**message))
    assert (event.conversation_id, event.inbox) == (f"teams:{place}", CHANNEL)


@pytest.mark.parametrize(
    ("change", "message", "kind", "at", "author"),
    [
        ("updated", EDIT, "edited", "09:35", "anna"),
        ("updated", {"reactions": [LIKE]}, "reaction", "09:40", "bob"),
        ("updated", EDIT | {"reactions": [LIKE]}, "reaction", "09:40", "bob"),
        ("updated", {"deletedDateTime": "2026-03-02T09:45:00Z"}, "deleted", "09:45", "anna"),
        ("deleted", {"deletedDateTime": "2026-03-02T09:45:00Z"}, "deleted", "09:45", "anna"),
        ("created", EDIT, "message", "09:29", "anna"),
    ],
)
def test_what_an_update_was(change: str, message: dict[str, Any], kind: str, at: str, author: str) -> None:
    event = only({"value": [notification(change, chat_message(**message))]})
    assert (event.type, f"{event.occurred_at:%H:%M}", event.author.id) == (kind, at, author)
    assert event.raw_reference == "teams:message:1772443790000"
    assert (event.id == "1772443790000") == (kind in {"message", "deleted"})
    assert event.version == (1 if kind == "deleted" else 0)


@pytest.mark.parametrize(
    ("sender", "kind"),
    [
        ({"user": {"id": "a", "userIdentityType": "aadUser"}}, "agent"),
        ({"user": {"id": "a", "userIdentityType": "aadUser", "tenantId": "acme"}}, "customer"),
        ({"user": {"id": "a", "userIdentityType": "anonymousGuest"}}, "customer"),
        ({"user": {"id": "a", "userIdentityType": "federatedUser"}}, "customer"),
        ({"user": {"id": "a@acme.example", "userIdentityType": "emailUser"}}, "customer"),
        ({"user": None, "application": {"id": "a", "applicationIdentityType": "bot"}}, "bot"),
    ],
)
def test_who_writes_in_graph(sender: dict[str, Any], kind: str) -> None:
    payload = {"value": [notification(data=chat_message(**{"from": sender}))]}
    assert only(payload, own_ids=frozenset({OUR_TENANT})).author.kind == kind


@pytest.mark.parametrize(
    ("payload", "reason"),
    [
        (activity("typing"), "typing"),
        (activity("installationUpdate", action="add"), "without_effect"),
        (activity("event", name="application/vnd.microsoft.meetingStart"), "without_effect"),
        (activity(text=None, value={"actionId": "info"}), "command"),
        (notification(data={"id": "1"}), "needs_fetch"),
        (notification(encryptedContent={"data": "x"}), "encrypted"),
        (notification(data={"@odata.type": "#Microsoft.Graph.chat"}), "other_subject"),
        (notification(data={}, resource="Users/u/Events/e"), "needs_fetch"),
        (notification("updated"), "without_effect"),
        (chat_message(messageType="systemEventMessage"), "line_of_the_provider"),
        (chat_message(messageType="unknownFutureValue", **{"from": None}), "line_of_the_provider"),
        ({"subscriptionId": "s", "lifecycleEvent": "missed"}, "events_lost"),
        ({"subscriptionId": "s", "lifecycleEvent": "subscriptionRemoved"}, "subscription_ends"),
        ({"subscriptionId": "s", "lifecycleEvent": "reauthorizationRequired"}, "subscription_ends"),
    ],
)
def test_what_means_nothing_here_is_ignored(payload: dict[str, Any], reason: str) -> None:
    assert read(payload) == [Ignored(reason)]


@pytest.mark.parametrize(
    ("payload", "reason", "place"),
    [
        (activity("teleported"), "not_understood", "teleported"),
        (activity() | {"from": None}, "malformed_payload", "$.from.id"),
        (activity(conversation={}), "malformed_payload", "$.conversation.id"),
        (chat_message(chatId=None), "malformed_payload", "$.chatId"),
        (chat_message(**{"from": None}), "malformed_payload", "$.from.user.id"),
        (chat_message(messageType="teleported"), "not_understood", "teleported"),
        (notification("teleported"), "not_understood", "teleported"),
        (b'{"type": "message", // a comment\n}', "not_json", "byte"),
    ],
)
def test_what_cannot_be_understood_says_where(payload: Any, reason: str, place: str) -> None:
    (refused,) = read(payload)
    assert isinstance(refused, Refused)
    assert refused.reason == reason
    assert place in refused.detail


def test_a_bad_notification_harms_none_of_its_neighbours() -> None:
    kinds = [type(each) for each in read({"value": [notification(), 7, notification("teleported"), notification()]})]
    assert kinds == [Draft, Refused, Refused, Draft]


WHOLE = [
    *(activity(kind, reactionsAdded=[{"type": "like"}]) for kind in ("message", "messageUpdate", "messageReaction")),
    {"value": [notification(), notification("updated", chat_message(**EDIT, reactions=[LIKE]))]},
    chat_message(**IN_CHANNEL, deletedDateTime="2026-03-02T09:45:00Z", webUrl="https://[half/l/message/"),
]
ODD = st.sampled_from([None, True, 0, -1e300, 2**70, "", " ", "\x00", "\ud800", "<at>", [], [None, 7], {}, {"id": 7}])


def _places(value: Any, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    inner = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    return [place for key, each in inner for place in ((*path, key), *_places(each, (*path, key)))]


@given(st.sampled_from(WHOLE), st.data())
def test_whatever_is_broken_nothing_raises_and_every_event_has_conversation_and_author(
    whole: dict[str, Any], data: st.DataObject
) -> None:
    broken = copy.deepcopy(whole)
    for _ in range(data.draw(st.integers(1, 3))):
        *way, last = data.draw(st.sampled_from(_places(broken) or [("type",)]))
        holder: Any = broken
        for key in way:
            holder = holder[key]
        if isinstance(holder, dict) and data.draw(st.booleans()):
            holder.pop(last, None)
        else:
            holder[last] = copy.deepcopy(data.draw(ODD))
    body = json.dumps(broken).encode()
    for cut in (len(body), data.draw(st.integers(0, len(body)))):
        for each in read(body[:cut]):
            if isinstance(each, Draft):
                assert isinstance(each.event, Interaction)
                assert each.event.conversation_id.removeprefix("teams:")
                assert each.event.author.id
