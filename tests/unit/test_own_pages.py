"""Forms and chats on one's own pages: what they mean, what proves them, and what a browser is answered."""

import asyncio
import json
import time
from collections.abc import Awaitable, Callable
from datetime import timedelta
from typing import Any
from urllib.parse import urlencode

import pytest
from hypothesis import given
from hypothesis import strategies as st

from schemas.interaction import Attachment, Interaction
from streams.connectors.accounts_directory import AccountsDirectory, stamp
from streams.connectors.connector_contract import Draft, Instance
from streams.connectors.own_words.chat_channel import CHAT
from streams.connectors.own_words.form_channel import FORM
from streams.connectors.own_words.visitor_tokens import VisitorClaims, VisitorTokens, claims_in
from tests.connect_bench import Bench, bench
from tests.payload_mutilations import assert_sound, mutilations
from tests.payload_readings import reading_of, table_of
from tests.senders.own_words_senders import CHAT_MESSAGE, CHAT_SECRETS, FORM_POST
from tests.senders.sender import NOW

SAID = "It is broken"
PAGE, ELSEWHERE = "https://www.ours.example", "https://www.theirs.example"
SECRET = CHAT_SECRETS[0]

URLENCODED = {"content-type": "application/x-www-form-urlencoded; charset=utf-8"}
MULTIPART = {"content-type": "multipart/form-data; boundary=XX"}


def one(kind: Any, body: Any, headers: dict[str, str] | None = None, **instance: Any) -> Interaction:
    (draft,) = reading_of(kind, body, headers, **instance)
    assert isinstance(draft, Draft), draft
    event = stamp(draft, AccountsDirectory())
    assert isinstance(event, Interaction)
    return event


# forms


def multipart(*parts: tuple[str, str]) -> bytes:
    written = [
        f"--XX\r\nContent-Disposition: form-data; {described}\r\n\r\n{content}\r\n" for described, content in parts
    ]
    return ("".join(written) + "--XX--\r\n").encode()


@pytest.mark.parametrize(
    ("body", "headers"),
    [
        (b"email=Bob%40acme.example&message=It+is+broken", URLENCODED),
        (b"email=Bob%40acme.example&message=It+is+broken\n", {}),
        (multipart(('name="email"', "bob@acme.example"), ('name="your-message"', "It is broken")), MULTIPART),
        (multipart(('name="email"', "bob@acme.example"), ('name="your-message"', "It is broken")), {}),
        ({"data": {"E-Mail": "bob@acme.example", "Nachricht": "It is broken"}}, {}),
        ({"fields": {"email": {"value": "bob@acme.example"}, "message": {"value": "It is broken"}}}, {}),
        (urlencode({"メールアドレス": "bob@acme.example", "お問い合わせ内容": "It is broken"}).encode(), URLENCODED),
        (b"contact[email]=bob%40acme.example&contact[body]=It+is+broken&body=", {}),
        (
            b"fields[email][type]=email&fields[email][value]=bob%40acme.example&fields[message][value]=It+is+broken",
            URLENCODED,
        ),
        (
            {
                "data": {
                    "fields": [{"label": "Email", "value": "bob@acme.example"}, {"label": "Message", "value": SAID}]
                }
            },
            {},
        ),
        ({"email": "bob@acme.example", "body": SAID, "data": {"email": "bob@acme.example", "message": SAID}}, {}),
    ],
    ids=[
        "urlencoded",
        "bare",
        "multipart",
        "bare multipart",
        "JSON",
        "nested JSON",
        "Japanese",
        "nested names",
        "described names",
        "listed fields",
        "fields said twice",
    ],
)
def test_a_form_is_a_message_of_somebody_unverified(body: Any, headers: dict[str, str]) -> None:
    event = one(FORM, body, headers)
    assert (event.author.kind, event.author.id, event.direction) == ("customer", "bob@acme.example", "inbound")
    assert (event.text, event.channel) == ("It is broken", "form")
    assert event.account_hint == "unverified_email:bob@acme.example"
    assert str(event.account_id).startswith("contact:")


def test_the_same_words_are_the_same_message_whatever_the_page_adds() -> None:
    first = one(FORM, b"message=Hi&email=a%40b.example&csrf_token=1&careline_token=x")
    again = one(FORM, b"email=a%40b.example&message=Hi&csrf_token=2&careline_token=y")
    other = one(FORM, b"email=a%40b.example&message=Hi+again")
    assert (first.id, first.conversation_id) == (again.id, again.conversation_id)
    assert first.conversation_id != other.conversation_id


def test_files_are_described_and_not_kept() -> None:
    file = 'name="photo"; filename="cup.jpg"\r\nContent-Type: image/jpeg'
    event = one(FORM, multipart(('name="message"', "Broken\r\ncup"), (file, "1234")), MULTIPART)
    assert event.text == "Broken\r\ncup"
    assert event.attachments == (Attachment(name="cup.jpg", media_type="image/jpeg", size_bytes=4),)


@pytest.mark.parametrize(
    ("body", "line"),
    [
        (FORM_POST.replace(b"honeypot=", b"honeypot=buy"), "ignored: honeypot"),
        (b"email=a%40b.example", "refused: malformed_payload"),
        (b"", "refused: malformed_payload"),
        (b"message=%ff", "refused: not_utf8"),
        (b"--XX", "refused: malformed_payload"),
        (b"[1]", "refused: malformed_payload"),
    ],
)
def test_what_is_no_message(body: bytes, line: str) -> None:
    assert table_of(FORM, body) == [line]


def test_unusual_names_are_told_by_options_and_other_answers_are_words_too() -> None:
    options = {"message_field": "x1", "email_field": "x2", "honeypot_field": "x3"}
    assert one(FORM, b"x1=Hi&x2=a%40b.example&message=no", options=options).text == "Hi"
    assert table_of(FORM, b"x1=Hi&x3=spam", options=options) == ["ignored: honeypot"]
    assert one(FORM, b"email=a%40b.example&size=XL&colour=red").text == "size: XL\ncolour: red"


@given(st.binary(max_size=300), st.sampled_from([{}, URLENCODED, MULTIPART, {"content-type": "application/json"}]))
def test_any_bytes_are_a_message_or_a_reason(body: bytes, headers: dict[str, str]) -> None:
    for each in (body, b"--XX\r\nContent-Disposition: " + body + b"\r\n\r\n" + body, b"message=" + body):
        assert_sound(reading_of(FORM, each, headers))
    assert_sound(reading_of(CHAT, body, headers))


def form(**options: str) -> Instance:
    return Instance("form", "form", tokens=("the-token",), options=options)


Scene = Callable[[Bench], Awaitable[None]]


def play(scene: Scene, *instances: Instance) -> None:
    async def whole() -> None:
        async with bench(*instances) as running:
            await scene(running)

    asyncio.run(whole())


async def post(running: Bench, path: str, body: bytes, headers: dict[str, str]) -> tuple[int, bytes, Any]:
    async with running.session.post(running.url + path, data=body, headers=headers, allow_redirects=False) as answer:
        return answer.status, await answer.read(), answer.headers


def test_a_person_is_thanked_and_a_script_gets_json() -> None:
    async def scene(running: Bench) -> None:
        body = b"message=Hi&careline_token=the-token"
        browser = URLENCODED | {"accept": "text/html,*/*"}
        status, page, headers = await post(running, "/in/form", body, browser)
        assert (status, headers["Content-Type"].partition(";")[0]) == (200, "text/html")
        assert b"Thank you" in page
        status, page, _ = await post(running, "/in/form", body, URLENCODED)
        assert json.loads(page)["repeated"] == 1
        assert len(running.published.interactions) == 1

    play(scene, form())


def test_a_person_goes_on_to_the_page_of_thanks() -> None:
    async def scene(running: Bench) -> None:
        body, browser = b"message=Hi&careline_token=the-token", URLENCODED | {"accept": "text/html", "origin": PAGE}
        status, _, headers = await post(running, "/in/form", body, browser)
        assert (status, headers["Location"]) == (303, f"{PAGE}/thanks")
        status, answer, _ = await post(running, "/in/form", body, browser | {"origin": ELSEWHERE})
        assert (status, json.loads(answer)) == (401, {"error": "bad_origin"})
        status, answer, _ = await post(running, "/in/form", body.replace(b"the-token", b"another"), browser)
        assert (status, json.loads(answer)) == (401, {"error": "bad_token"})

    play(scene, form(thanks_url=f"{PAGE}/thanks", allowed_origins=f"{PAGE}/"))


def test_an_address_of_thanks_that_is_none_is_a_mistake() -> None:
    with pytest.raises(ValueError, match="is no address"):
        FORM.build(form(thanks_url="javascript:alert(1)"))


# chats


def token(visitor: str = "v-1", seconds: float = 60, **claims: Any) -> str:
    return VisitorTokens([SECRET]).make(VisitorClaims(visitor, NOW + timedelta(seconds=seconds), **claims))


def bearing(shown: str) -> dict[str, str]:
    return {"authorization": f"Bearer {shown}"}


@pytest.mark.parametrize(
    ("said", "shown", "line"),
    [
        ({}, None, "message customer(v-1) inbound chat chat:v-1 unverified_email:bob@acme.example 'It is broken'"),
        ({}, token(), "message customer(v-1) inbound chat chat:v-1 unverified_email:bob@acme.example 'It is broken'"),
        (
            {"from": "agent", "agent": "7", "email": None},
            token(),
            "message customer(v-1) inbound chat chat:v-1 unverified_visitor:v-1 'It is broken'",
        ),
        (
            {"email": None, "conversation": "v-1/2"},
            token(email="bob@acme.example"),
            "message customer(v-1) inbound chat chat:v-1/2 domain:acme.example 'It is broken'",
        ),
        ({}, token("v-2"), "refused: not_understood"),
        (
            {"from": "agent", "agent": 7, "email": None},
            SECRET,
            "message agent(7) outbound chat chat:v-1 unverified_visitor:v-1 'It is broken'",
        ),
        (
            {"from": "customer"},
            SECRET,
            "message customer(v-1) inbound chat chat:v-1 domain:acme.example 'It is broken'",
        ),
        (
            {"from": "bot"},
            SECRET,
            "message bot outbound chat chat:v-1 domain:acme.example [bot] 'It is broken'",
        ),
        ({"text": " "}, token(), "refused: malformed_payload"),
        ({"id": None}, token(), "refused: malformed_payload"),
    ],
)
def test_messages_of_a_chat(said: dict[str, Any], shown: str | None, line: str) -> None:
    assert table_of(CHAT, CHAT_MESSAGE | said, bearing(shown) if shown else {}) == [line]


def test_only_the_backend_is_believed_what_time_it_is() -> None:
    said = CHAT_MESSAGE | {"at": "2026-03-01T12:00:00Z"}
    assert one(CHAT, said, bearing(token())).occurred_at == NOW
    assert one(CHAT, said, bearing(SECRET)).occurred_at == NOW - timedelta(days=1) + timedelta(hours=2, minutes=30)


@pytest.mark.parametrize(
    ("shown", "refusal"),
    [
        (token(seconds=1), None),
        (SECRET, None),
        (token(seconds=-1), "timestamp_too_old"),
        (token(seconds=90_000), "timestamp_too_new"),
        (token()[:-2], "bad_token"),
        (token("v-2").partition(".")[0] + "." + token().partition(".")[2], "bad_token"),
        ("another secret", "bad_token"),
        (".", "bad_token"),
    ],
)
def test_tokens_are_short_lived_and_signed(shown: str, refusal: str | None) -> None:
    async def scene(running: Bench) -> None:
        status, answer, _ = await post(running, "/in/chat", json.dumps(CHAT_MESSAGE).encode(), bearing(shown))
        assert (status, json.loads(answer).get("error")) == (200 if refusal is None else 401, refusal)

    play(scene, Instance("chat", "chat", secrets=(SECRET,)))


def test_a_page_asks_gets_a_token_and_sends() -> None:
    async def scene(running: Bench) -> None:
        url, here = f"{running.url}/in/chat", {"origin": PAGE}
        async with running.session.options(url, headers=here) as answer:
            assert (answer.status, answer.headers["Access-Control-Allow-Origin"]) == (204, PAGE)
        async with running.session.get(url, headers={"origin": ELSEWHERE}) as answer:
            assert answer.status == 405
        async with running.session.get(url, headers=here) as answer:
            assert (answer.status, answer.headers["Cache-Control"]) == (200, "no-store")
            first = await answer.json()
        async with running.session.get(url, headers=here | bearing(first["token"])) as answer:
            assert (await answer.json())["visitor"] == first["visitor"]
        async with running.session.get(url, headers=here | bearing(token())) as answer:
            assert (await answer.json())["visitor"] not in {first["visitor"], "v-1"}
        body = json.dumps({"id": "m-1", "text": "Hello"}).encode()
        status, _, headers = await post(running, "/in/chat", body, here | bearing(first["token"]))
        assert (status, headers["Access-Control-Allow-Origin"]) == (200, PAGE)
        (event,) = running.published.interactions
        assert event.conversation_id == f"chat:{first['visitor']}"

    play(scene, Instance("chat", "chat", secrets=(CHAT_SECRETS[1],), options={"allowed_origins": PAGE}))


def test_a_secret_that_visitors_could_guess_is_refused() -> None:
    with pytest.raises(ValueError, match="fewer than 24 bytes"):
        CHAT.build(Instance("chat", "chat", secrets=("short",)))


@given(st.text(max_size=80))
def test_no_text_is_a_token_by_accident(text: str) -> None:
    assert claims_in(text) is None or "visitor" in text


def test_no_mutilation_raises_or_makes_half_an_event() -> None:
    for body in mutilations(CHAT_MESSAGE | {"at": "2026-03-01T12:00:00Z", "from": "customer"}):
        assert_sound(reading_of(CHAT, body))
        assert_sound(reading_of(CHAT, body, bearing(token())))
    for body in mutilations({"data": {"email": "bob@acme.example", "fields": [1, {"value": "x"}], "message": "Hi"}}):
        assert_sound(reading_of(FORM, body))


@pytest.mark.parametrize(
    "body",
    [
        b"--a\r\nContent-Disposition: form-data; " + b"a;" * 300_000 + b"\r\n\r\nx",
        b"--a\r\n" * 150_000,
        b"--" + b" " * 800_000,
        b"a=1&" * 200_000,
        b"\xc3\xa9_" * 300_000 + b"=1",
    ],
    ids=["parameters", "parts", "blanks", "fields", "a name"],
)
def test_a_hostile_form_is_read_in_no_time(body: bytes) -> None:
    """Forms are read before their token is known, so a stranger must not buy much work with a request."""
    started = time.process_time()
    assert table_of(FORM, body) == ["refused: malformed_payload"]
    assert time.process_time() - started < 2
