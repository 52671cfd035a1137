"""What Typeform's, Delighted's and SurveyMonkey's payloads mean: the published ones, and tables of questions."""

from pathlib import Path
from typing import Any

import pytest

from streams.connectors.connector_contract import Draft, Refused
from streams.connectors.surveys.delighted_responses import DELIGHTED
from streams.connectors.surveys.survey_questions import Mark, kind_of_question, mark_of
from streams.connectors.surveys.surveymonkey_responses import SURVEYMONKEY
from streams.connectors.surveys.typeform_responses import TYPEFORM
from tests.payload_readings import PayloadReader, published
from tests.senders.survey_senders import RECOMMENDED, delighted_event, scored, surveymonkey_response, typeform_event

typeform, delighted, surveymonkey = (PayloadReader(kind) for kind in (TYPEFORM, DELIGHTED, SURVEYMONKEY))

SAID = {"type": "text", "text": "Too slow", "field": {"id": "t", "type": "long_text", "ref": "why"}}
NAME = {"type": "text", "text": "Ana Ng", "field": {"id": "n", "type": "short_text", "ref": "name"}}


def asked(title: str, ref: str, **properties: Any) -> dict[str, Any]:
    """The definition of a form with one opinion scale."""
    field = {"id": f"id-{ref}", "ref": ref, "title": title, "type": "opinion_scale", "properties": properties}
    return {"definition": {"id": "f", "fields": [field]}}


@pytest.mark.parametrize(
    ("texts", "kind"),
    [
        (["nps"], "nps"),
        (["my_csat_score"], "csat"),
        (["ces-2026", "How satisfied are you?"], "ces"),
        (["How likely are you to recommend Acme to a friend?"], "nps"),
        (["Wie wahrscheinlich ist es, dass Sie uns weiterempfehlen?"], "nps"),
        (["How satisfied were you with our answer?"], "csat"),
        (["Wie zufrieden sind Sie?"], "csat"),
        (["How easy was it to get help?"], "ces"),
        (["The company made it easy for me to handle my issue."], "ces"),
        (["How many seats do you need?"], None),
        (["cesspool_depth", None], None),
    ],
)
def test_a_question_is_known_by_its_reference_or_its_wording(texts: list[str | None], kind: str | None) -> None:
    assert kind_of_question(*texts) == kind


@pytest.mark.parametrize(
    ("kind", "value", "steps", "from_zero", "mark"),
    [
        ("nps", 0, 11, True, (0, 10)),
        ("nps", 9, None, None, (9, 10)),
        ("csat", 4, None, None, (4, 5)),
        ("csat", 4, 5, False, (4, 5)),
        ("csat", 4, 5, True, (5, 5)),
        ("csat", 8, None, True, (8, 10)),
        ("csat", 10, 11, True, (10, 10)),
        ("ces", 6, None, None, (6, 7)),
        ("ces", 6, 7, False, (6, 7)),
        ("csat", 2024, None, None, None),
        ("csat", None, None, None, None),
        ("csat", 5, 5, True, None),
    ],
)
def test_an_answer_stands_on_the_scale_of_its_question(
    kind: Any, value: float | None, steps: int | None, from_zero: bool | None, mark: tuple[float, float] | None
) -> None:
    assert mark_of(kind, value, steps, from_zero=from_zero) == (Mark(kind, *mark) if mark else None)


def test_a_submitted_form_is_a_signal_for_each_measure() -> None:
    signals = typeform.signals(
        typeform_event(scored(3), SAID, scored(4, "stars", "rating"), scored(7, "size", "number"))
    )
    assert [(s.id, s.name, s.value, s.scale, s.text) for s in signals] == [
        ("a3a12ec67a1365927098a606107fac15:id-nps", "nps", 3, 10, "Too slow"),
        ("a3a12ec67a1365927098a606107fac15:id-stars", "csat", 4, 5, None),
    ]
    assert {s.account_id for s in signals} == {"account:acme"}
    assert signals[0].occurred_at.isoformat() == "2026-03-02T09:29:00+00:00"


def test_the_form_says_what_is_asked_and_where_the_scale_begins() -> None:
    event = typeform_event(scored(3, "q1"))
    event["form_response"] |= asked("How satisfied are you with us?", "q1", steps=5)
    assert [(s.name, s.value, s.scale) for s in typeform.signals(event)] == [("csat", 4, 5)]
    event["form_response"] |= asked("How satisfied are you with us?", "q1", steps=5, start_at_one=True)
    assert [(s.name, s.value, s.scale) for s in typeform.signals(event)] == [("csat", 3, 5)]


def test_the_first_webhooks_and_those_that_pipedream_hands_on_are_read() -> None:
    event = typeform_event(
        {"type": "number", "number": 9, "field": {"id": "q1", "type": "opinion-scale"}},
        {"type": "text", "text": "Fast", "field": {"id": "q2", "type": "textarea"}},
    )
    event["form_response"] |= asked("How likely are you to recommend us?", "q1")
    for payload in (event, {"form_id": "f", "token": "t", "raw_webhook_event": event}):
        assert [(s.name, s.value, s.scale, s.text) for s in typeform.signals(payload)] == [("nps", 9, 10, "Fast")]


def test_the_instance_may_name_its_questions() -> None:
    event = typeform_event(scored(3, "q1"), scored(6, "q2", "number"))
    assert typeform.ignored(event) == "no_known_question"
    signals = typeform.signals(event, options={"csat": "q1 q9", "ces": "id-q2"})
    assert [(s.name, s.value) for s in signals] == [("csat", 3), ("ces", 6)]


def test_a_form_may_be_a_request() -> None:
    (message,) = typeform.interactions(typeform_event(SAID), options={"message": "why"})
    assert (message.type, message.author.kind, message.author.id, message.text, message.channel) == (
        "message",
        "customer",
        "42",
        "Too slow",
        "form",
    )
    assert message.conversation_id == "typeform:a3a12ec67a1365927098a606107fac15"


def test_a_typed_address_never_makes_a_company() -> None:
    typed = {"type": "email", "email": "CEO@Acme.example", "field": {"id": "e", "type": "email"}}
    event = typeform_event(scored(9), typed)
    event["form_response"]["hidden"] = {}
    (draft,) = typeform.drafts(event)
    assert draft.identities == ("unverified_email:ceo@acme.example",)
    event["form_response"]["hidden"] = {"login": "ana@acme.example"}
    assert typeform.drafts(event)[0].identities == (
        "domain:acme.example",
        "email:ana@acme.example",
        "unverified_email:ceo@acme.example",
    )


@pytest.mark.parametrize(
    ("event", "reason"),
    [
        (typeform_event(NAME), "no_known_question"),
        ({"event_type": "form_response_partial", "form_response": {}}, "not_yet"),
        ({"token": "t", "response_type": "started", "submitted_at": "0001-01-01T00:00:00Z"}, "not_yet"),
        ({"items": [], "page_count": 0, "total_items": 0}, "nothing_inside"),
        ({"id": "f", "title": "T", "fields": []}, "other_subject"),
        ({"token": "t", "answers": [scored(3)], "hidden": {}}, "nobody_named"),
    ],
)
def test_other_things_of_typeform_are_ignored_with_a_reason(event: Any, reason: str) -> None:
    assert typeform.ignored(event) == reason


def test_the_published_pages_of_typeform(shared: Path) -> None:
    assert typeform.ignored(published(shared, "survey/typeform_form.json")) == "other_subject"
    readings = typeform.read(published(shared, "survey/typeform_responses_api.json"))
    signals = [draft.event for draft in readings if hasattr(draft, "event")]
    assert [(s.name, s.value, s.scale) for s in signals] == [("csat", 3, 5)] * 2  # type: ignore[union-attr]
    assert sorted({type(reading).__name__ for reading in readings}) == ["Draft", "Ignored"]


@pytest.mark.parametrize(
    ("file", "score", "comment"),
    [
        ("delighted_promoter", 9, "Your service is fast and flawless!"),
        ("delighted_non_promoter", 5, "Your service is slow, but nearly flawless! Keep up the good work!"),
    ],
)
def test_the_published_responses_of_delighted(shared: Path, file: str, score: float, comment: str) -> None:
    (signal,) = delighted.signals(published(shared, f"survey/{file}.json"))
    assert (signal.id, signal.name, signal.value, signal.scale, signal.text) == ("5435", "nps", score, 10, comment)
    assert (signal.account_id, signal.version) == ("domain:example.com", 1482590009)
    assert signal.occurred_at.isoformat() == "2016-12-24T14:23:29+00:00"


def test_the_comment_that_follows_corrects_the_same_signal() -> None:
    (first,) = delighted.signals(delighted_event())
    later = delighted_event("survey_response.updated", comment="Slow", score=7, updated_at=1772443600)
    (second,) = delighted.signals(later)
    assert (first.id, first.occurred_at) == (second.id, second.occurred_at)
    assert (first.version, second.version, second.value, second.text) == (0, 1772443600, 7, "Slow")


@pytest.mark.parametrize(
    ("survey", "score", "kind", "scale"),
    [
        ("csat", 5, "csat", 5),
        ("CSAT3", 3, "csat", 3),
        ("thumbs", 0, "csat", 1),
        ("ces", 5, "ces", 5),
        ("ces7", 7, "ces", 7),
        (None, 0, "nps", 10),
    ],
)
def test_other_surveys_of_delighted(survey: str | None, score: float, kind: str, scale: float) -> None:
    (signal,) = delighted.signals(delighted_event(survey_type=survey, score=score))
    assert (signal.name, signal.value, signal.scale) == (kind, score, scale)


def test_a_response_of_the_api_names_the_person_by_id() -> None:
    (draft,) = delighted.drafts({"id": "1", "person": "9", "score": 10, "created_at": 1772443000})
    assert draft.identities == ("delighted_person:9",)


@pytest.mark.parametrize(
    ("event", "said"),
    [
        (delighted_event("unsubscribed"), "no_answer"),
        (delighted_event("person.created"), "no_answer"),
        ({"id": "1", "email": "ana@acme.example", "name": "Ana"}, "no_answer"),
        (delighted_event(person=None), "nobody_named"),
        (delighted_event(survey_type="pmf"), "no_known_question"),
        (delighted_event(survey_type="enps"), "other_subject"),
    ],
)
def test_other_things_of_delighted_are_ignored_with_a_reason(event: Any, said: str) -> None:
    assert delighted.ignored(event) == said


def test_a_bad_response_harms_none_of_its_neighbours() -> None:
    page = {
        "items": [{"answers": []}, {"token": "t", "hidden": {"user_id": "7"}, "answers": [scored(3)]}],
        "page_count": 1,
    }
    refused, answered = typeform.read(page)
    assert isinstance(refused, Refused)
    assert refused.value == b'{"answers":[]}'
    assert isinstance(answered, Draft)
    assert [type(each).__name__ for each in delighted.read([{}, delighted_event()])] == ["Refused", "Draft"]


def test_a_mark_outside_its_scale_is_refused() -> None:
    assert delighted.refused(delighted_event(score=11)).startswith("malformed_payload: nps of 11")


def test_whom_delighted_asked_by_text_message_is_known_by_the_number() -> None:
    """Delighted API, "People": a person has an `email`, a `phone_number`, or both."""
    (signal,) = delighted.signals(delighted_event(person={"id": "7", "email": None, "phone_number": "+14155550100"}))
    assert signal.account_hint == "phone:+14155550100"


@pytest.mark.parametrize(
    ("answer", "value"),
    [
        ({"simple_text": "5", "choice_metadata": {"weight": "-100"}}, 5),
        ({"simple_text": "8", "choice_metadata": {"weight": "0"}}, 8),
        ({"simple_text": "10", "choice_metadata": {"weight": "100"}}, 10),
        ({"text": "7", "choice_metadata": {"weight": "0"}}, 7),
        ({"choice_metadata": {"weight": "9"}}, 9),
    ],
)
def test_a_recommendation_is_what_its_choice_is_called_and_not_what_it_counts_for(
    answer: dict[str, Any], value: float
) -> None:
    """Reichheld (2003): the answer stands on 0 to 10. SurveyMonkey: weights can be set."""
    (signal,) = surveymonkey.signals(surveymonkey_response(RECOMMENDED | {"answers": [{"choice_id": "7"} | answer]}))
    assert (signal.name, signal.value, signal.scale) == ("nps", value, 10)


def test_a_satisfaction_is_what_its_choice_weighs() -> None:
    answer = {"choice_id": "7", "simple_text": "1", "choice_metadata": {"weight": "4"}}
    question = {"id": "1", "heading": "How satisfied are you?", "answers": [answer]}
    (signal,) = surveymonkey.signals(surveymonkey_response(question))
    assert (signal.name, signal.value, signal.scale) == ("csat", 4, 5)


def test_who_was_invited_by_mail_is_known_by_the_address() -> None:
    """SurveyMonkey, "Survey responses": `email_address` is the recipient's of the collector."""
    response = surveymonkey_response(RECOMMENDED, custom_variables={}, email_address="ana@acme.example")
    assert {signal.account_id for signal in surveymonkey.signals(response)} == {"domain:acme.example"}


def test_a_full_response_of_surveymonkey() -> None:
    why = {"id": "2002", "heading": "Why?", "answers": [{"text": "Too slow"}]}
    (signal,) = surveymonkey.signals(surveymonkey_response(RECOMMENDED, why))
    assert (signal.id, signal.name, signal.value, signal.scale) == ("5007154402:2001", "nps", 9, 10)
    assert (signal.text, signal.account_id) == ("Too slow", "account:acme")
    assert signal.version == int(signal.occurred_at.timestamp())


@pytest.mark.parametrize(
    ("event", "reason"),
    [
        ({"event_type": "response_completed", "object_type": "response", "object_id": "5"}, "needs_fetch"),
        ({"event_type": "response_updated", "object_id": "5"}, "needs_fetch"),
        ({"event_type": "survey_created", "object_id": "5"}, "other_subject"),
        ({"id": "1", "event_type": "response_completed", "subscription_url": "https://x.example"}, "other_subject"),
        ({"data": [{"id": "5", "href": "https://api.example/5"}], "total": 1}, "needs_fetch"),
        (surveymonkey_response(), "needs_fetch"),
        (
            surveymonkey_response({"id": "1", "heading": "Your name?", "answers": [{"text": "Ana"}]}),
            "no_known_question",
        ),
        (surveymonkey_response(RECOMMENDED, custom_variables={}, recipient_id="0"), "nobody_named"),
    ],
)
def test_what_surveymonkey_only_names_is_ignored_with_a_reason(event: Any, reason: str) -> None:
    assert surveymonkey.ignored(event) == reason
