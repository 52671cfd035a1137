"""A language model as judge, over real HTTP: its answers, its silences, its costs, and what the rules take over."""

import json
import logging
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest
from typing_extensions import override

from streams.enrich import model_scorer
from streams.enrich.message_scorer import RuleScorer
from streams.enrich.model_budget import NOTHING, DailyBudget, Spent, read_spent
from streams.enrich.model_endpoint import PROMPT_VERSION, ModelEndpoint
from streams.enrich.model_scorer import LEFT_ALONE_SECONDS, ModelScorer
from streams.sinks.recorder import Recorder

KEY = "sk-never-in-a-log"


class Endpoint:
    """An OpenAI-compatible endpoint on this machine; `answer` makes status and body out of what it was asked."""

    def __init__(self) -> None:
        self.asked: list[dict[str, Any]] = []
        self.keys: list[str | None] = []
        self.answer: Callable[[list[dict[str, Any]]], tuple[int, bytes]] = judged
        endpoint = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self) -> None:
                body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
                endpoint.asked.append(body)
                endpoint.keys.append(self.headers["Authorization"])
                status, said = endpoint.answer(json.loads(body["messages"][1]["content"])["messages"])
                with suppress(ConnectionError):  # who has waited long enough has gone
                    self.send_response(status)
                    self.send_header("Content-Length", str(len(said)))
                    self.end_headers()
                    self.wfile.write(said)

            @override
            def log_message(self, *_: object) -> None:
                """Say nothing."""

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.server.daemon_threads = True
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server.server_address[1]}/v1"

    def texts(self) -> list[list[str]]:
        return [
            [each["text"] for each in json.loads(body["messages"][1]["content"])["messages"]] for body in self.asked
        ]


def completion(content: str | None, tokens: int | None = 100) -> tuple[int, bytes]:
    body: dict[str, Any] = {"choices": [{"message": {"content": content}}]}
    if tokens is not None:
        body["usage"] = {"total_tokens": tokens}
    return 200, json.dumps(body).encode()


def judged(messages: list[dict[str, Any]]) -> tuple[int, bytes]:
    found = [{"id": each["id"], "sentiment": -0.5, "language": "de"} for each in reversed(messages)]
    return completion(json.dumps({"judgements": found}))


class Calls(Recorder):
    """Remembers the calls."""

    def __init__(self) -> None:
        self.outcomes: list[str] = []
        self.tokens = 0

    @override
    def model_called(self, outcome: str, tokens: int, seconds: float) -> None:
        assert seconds >= 0
        self.outcomes.append(outcome)
        self.tokens += tokens


class Scene:
    """A scorer, its endpoint, its budget and a clock that is moved by hand."""

    def __init__(self, calls: int = 100, tokens: int = 10_000, timeout: float = 5.0, url: str | None = None) -> None:
        self.endpoint, self.recorder, self.now, self.day = Endpoint(), Calls(), 0.0, 20_000
        self.budget = DailyBudget(calls, tokens, lambda: self.day)
        endpoint = ModelEndpoint(url or self.endpoint.url, "llama", KEY, timeout)
        self.scorer = ModelScorer(
            endpoint, "llama", 3, budget=self.budget, recorder=self.recorder, clock=lambda: self.now
        )

    def close(self) -> None:
        self.scorer.close()
        self.endpoint.server.shutdown()
        self.endpoint.server.server_close()


@pytest.fixture
def scenes() -> Iterator[Callable[..., Scene]]:
    made: list[Scene] = []

    def make(**options: Any) -> Scene:
        made.append(Scene(**options))
        return made[-1]

    yield make
    for scene in made:
        scene.close()


Scenes = Callable[..., Scene]
TEXTS = ["This is terrible.", "Thank you!", "Where is the menu?", "Awful."]


def test_many_messages_are_judged_in_one_call_and_each_says_by_whom(scenes: Scenes) -> None:
    scene = scenes()

    found = scene.scorer.score(TEXTS)

    assert scene.endpoint.texts() == [TEXTS[:3], TEXTS[3:]]
    assert {(each.sentiment, each.language, each.scorer, each.scorer_version, each.fallback) for each in found} == {
        (-0.5, "de", "llama", PROMPT_VERSION, None)
    }
    assert [each.tokens for each in found] == [34, 33, 33, 100]
    assert scene.recorder.outcomes == ["answered", "answered"]
    assert scene.endpoint.keys == [f"Bearer {KEY}"] * 2
    assert scene.endpoint.asked[0]["model"] == "llama"


def test_a_text_that_comes_again_costs_nothing_and_what_is_remembered_is_bounded(
    scenes: Scenes, monkeypatch: pytest.MonkeyPatch
) -> None:
    scene = scenes()
    monkeypatch.setattr(model_scorer, "REMEMBERED_TEXTS", 2)

    scene.scorer.score(["a", "a", "b"])
    again = scene.scorer.score(["b", "a"])
    scene.scorer.score(["c"])
    scene.scorer.score(["a", "b"])

    assert scene.endpoint.texts() == [["a", "b"], ["c"], ["b"]]
    assert [each.tokens for each in again] == [0, 0]


GARBAGE = {
    "no JSON": completion("I think they are angry."),
    "fenced": completion('```json\n{"judgements": []}\n```'),
    "of others": completion('{"judgements": [{"id": 3, "sentiment": 0, "language": "en"}]}'),
    "each twice": completion(
        json.dumps({"judgements": [{"id": number, "sentiment": 0, "language": "en"} for number in (1, 1, 2, 2)]})
    ),
    "beyond": completion(
        json.dumps({"judgements": [{"id": number, "sentiment": 7, "language": "en"} for number in (1, 2)]})
    ),
    "a language that is a sentence": completion(
        json.dumps({"judgements": [{"id": number, "sentiment": 0, "language": "English!"} for number in (1, 2)]})
    ),
    "who pays back": completion(
        json.dumps({"judgements": [{"id": number, "sentiment": 0, "language": "en"} for number in (1, 2)]}), -1_000_000
    ),
    "no completion": (200, b'{"error": "busy"}'),
    "bytes": (200, b"\xff\xfe"),
    "Latin-1 in a text": (200, b'{"choices": [{"message": {"content": "caf\xe9"}}]}'),
    "nested": (200, b'{"choices": [], "more": ' + b"[" * 10_000 + b"]" * 10_000 + b"}"),
    "a nested judgement": completion('{"judgements": [' + "[" * 100_000 + "]" * 100_000 + "]}"),
    "endless": (200, b" " * 1_100_000),
}


@pytest.mark.parametrize("said", GARBAGE.values(), ids=GARBAGE)
def test_an_answer_that_is_no_judgement_is_thrown_away_whole(scenes: Scenes, said: tuple[int, bytes]) -> None:
    scene = scenes()
    scene.endpoint.answer = lambda _: said

    found = scene.scorer.score(TEXTS[:2])

    assert found == [RuleScorer().judge(text, "garbage") for text in TEXTS[:2]]
    assert scene.recorder.outcomes == ["garbage"]
    scene.endpoint.answer = judged
    assert [each.scorer for each in scene.scorer.score(TEXTS[:2])] == ["llama", "llama"]


@pytest.mark.parametrize(
    ("said", "reason"),
    [((500, b"{}"), "refused"), ((429, b""), "refused"), ((302, b""), "refused")],
)
def test_who_refuses_is_left_alone_for_a_while(scenes: Scenes, said: tuple[int, bytes], reason: str) -> None:
    scene = scenes()
    scene.endpoint.answer = lambda _: said

    found = scene.scorer.score(TEXTS)
    scene.endpoint.answer = judged
    meanwhile = scene.scorer.score(["Another one."])
    scene.now += LEFT_ALONE_SECONDS
    afterwards = scene.scorer.score(["Another one."])

    assert {(each.scorer, each.fallback) for each in [*found, *meanwhile]} == {("careline-rules", reason)}
    assert [each.fallback for each in afterwards] == [None]
    assert scene.recorder.outcomes == [reason, "answered"]


@pytest.mark.parametrize(
    "said",
    [(400, b'{"error": {"code": "content_filter"}}'), (413, b""), (422, b"{}"), completion(None)],
    ids=["400", "413", "422", "nothing said"],
)
def test_texts_that_are_refused_take_the_model_from_nobody_else(scenes: Scenes, said: tuple[int, bytes]) -> None:
    scene = scenes()
    scene.endpoint.answer = lambda messages: said if messages[0]["text"] == TEXTS[0] else judged(messages)

    found = scene.scorer.score(TEXTS)

    assert [(each.scorer, each.fallback) for each in found] == [*[("careline-rules", "refused")] * 3, ("llama", None)]
    assert scene.recorder.outcomes == ["refused", "answered"]


def test_what_a_model_does_not_take_is_asked_without(scenes: Scenes) -> None:
    """As OpenAI's models that reason refuse every temperature but their own."""
    scene = scenes()
    said = {"message": "Unsupported value: 'temperature' does not support 0.", "param": "temperature"}

    def answer(messages: list[dict[str, Any]]) -> tuple[int, bytes]:
        if "temperature" in scene.endpoint.asked[-1]:
            return 400, json.dumps({"error": said | {"code": "unsupported_value"}}).encode()
        return judged(messages)

    scene.endpoint.answer = answer
    found = scene.scorer.score(TEXTS)

    assert {each.fallback for each in found} == {None}
    assert ["temperature" in each for each in scene.endpoint.asked] == [True, False, False]
    assert all(each["response_format"] == {"type": "json_object"} for each in scene.endpoint.asked)


def test_one_odd_judgement_spoils_no_other_and_language_tags_are_understood_in_a_fence_too(scenes: Scenes) -> None:
    scene = scenes()
    items = [(1, "pt-BR"), (2, "English!"), (3, "EN")]
    said = json.dumps({"judgements": [{"id": each, "sentiment": 0.5, "language": tag} for each, tag in items]})
    scene.endpoint.answer = lambda _: completion(f"```json\n{said}\n```\n")

    found = scene.scorer.score(TEXTS[:3])

    assert [(each.language, each.fallback, each.tokens) for each in found if each.scorer == "llama"] == [
        ("pt", None, 50),
        ("en", None, 50),
    ]
    assert found[1] == RuleScorer().judge(TEXTS[1], "garbage")


def test_who_does_not_answer_in_time_or_at_all_keeps_nobody_waiting(scenes: Scenes) -> None:
    released = threading.Event()

    def never(messages: list[dict[str, Any]]) -> tuple[int, bytes]:
        released.wait(30)
        return judged(messages)

    slow, absent = scenes(timeout=0.2), scenes(url="http://127.0.0.1:1/v1")
    slow.endpoint.answer = never
    began = time.monotonic()

    late = slow.scorer.score(TEXTS)
    gone = absent.scorer.score(TEXTS)

    assert {each.fallback for each in late} == {"time_out"}
    assert {each.fallback for each in gone} == {"unreachable"}
    assert time.monotonic() - began < 10
    released.set()


def test_a_spent_budget_is_over_until_the_next_day(scenes: Scenes) -> None:
    few_calls, few_tokens = scenes(calls=1), scenes(tokens=150)

    assert [each.fallback for each in few_calls.scorer.score(TEXTS)] == [None, None, None, "budget"]
    for _ in range(2):
        few_tokens.scorer.score([f"number {number} of {_}" for number in range(6)])
    assert few_tokens.recorder.tokens == 200  # the last call was allowed before it was known what it costs
    assert few_calls.recorder.outcomes == ["answered"]
    few_calls.day += 1
    assert [each.fallback for each in few_calls.scorer.score(TEXTS[3:])] == [None]


def test_who_counts_no_tokens_spends_what_is_estimated(scenes: Scenes) -> None:
    scene = scenes()
    scene.endpoint.answer = lambda messages: completion(
        json.loads(judged(messages)[1])["choices"][0]["message"]["content"], 0
    )

    scene.scorer.score(TEXTS[:1])

    assert scene.recorder.outcomes == ["answered"]
    assert scene.recorder.tokens > 0


def test_what_was_spent_survives_a_restart_beside_the_offsets() -> None:
    day = 20_000
    before = DailyBudget(3, 1_000, lambda: day)
    before.spend(10)
    before.spend(20)

    written = [before.untold.written(), "", "of somebody else", Spent(day - 1, 50, 50).written()]
    after = DailyBudget(3, 1_000, lambda: day)
    after.begin(map(read_spent, written))

    assert read_spent(written[0]) == Spent(day, 2, 30)
    assert after.allows()
    after.spend(1)
    assert not after.allows()
    assert after.untold == Spent(day, 1, 1)
    before.told()
    assert before.untold == NOTHING


def test_neither_texts_nor_keys_are_logged(scenes: Scenes, caplog: pytest.LogCaptureFixture) -> None:
    scene = scenes()
    scene.endpoint.answer = lambda _: (500, b"the text was: This is terrible.")
    with caplog.at_level(logging.DEBUG):
        scene.scorer.score(TEXTS)

    assert "refused (HTTP 500)" in caplog.text
    assert KEY not in caplog.text
    assert not any(text in caplog.text for text in TEXTS)
