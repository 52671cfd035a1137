"""Senders among survey providers."""

import json
from datetime import datetime
from typing import Any

from streams.connectors.connector_contract import Headers, WebhookRequest
from streams.connectors.hmac_signatures import HmacScheme
from streams.connectors.surveys import delighted_responses, surveymonkey_responses, typeform_responses
from tests.senders.sender import Sender

SECRETS = ("last year's", "this year's", "somebody else's")


def signed_by(scheme: HmacScheme) -> Any:
    """How a provider with this scheme signs: no time is part of it."""

    def sign(secret: str, body: bytes, at: datetime) -> dict[str, str]:
        return {scheme.header: scheme.sign(secret, WebhookRequest("POST", Headers([]), body, at))}

    return sign


def typeform_event(*answers: dict[str, Any], **response: Any) -> dict[str, Any]:
    """A submitted form in the documented shape, with these answers."""
    return {
        "event_id": "01HV4X9M2",
        "event_type": "form_response",
        "form_response": {
            "form_id": "lT4Z3j",
            "token": "a3a12ec67a1365927098a606107fac15",
            "landed_at": "2026-03-02T09:20:00Z",
            "submitted_at": "2026-03-02T09:29:00Z",
            "hidden": {"account": "acme", "user_id": "42"},
            "definition": {"id": "lT4Z3j", "title": "How was it?", "fields": []},
            "answers": list(answers),
        }
        | response,
    }


def scored(number: float, ref: str = "nps", field: str = "opinion_scale") -> dict[str, Any]:
    """An answer that is a number."""
    return {"type": "number", "number": number, "field": {"id": f"id-{ref}", "type": field, "ref": ref}}


def delighted_event(kind: str = "survey_response.created", **data: Any) -> dict[str, Any]:
    """A response in the documented shape."""
    return {
        "event_type": kind,
        "event_id": "d35a2f",
        "event_data": {
            "id": "5435",
            "person": {"id": "5975", "email": "Ana@Acme.example", "name": "Ana"},
            "survey_type": "nps",
            "score": 9,
            "comment": None,
            "created_at": 1772443000,
            "updated_at": None,
            "person_properties": None,
        }
        | data,
    }


def surveymonkey_response(*questions: dict[str, Any], **response: Any) -> dict[str, Any]:
    """A response with its details, as the API gives it."""
    return {
        "id": "5007154402",
        "survey_id": "105723396",
        "collector_id": "50253586",
        "recipient_id": "9001",
        "response_status": "completed",
        "custom_variables": {"account_id": "acme"},
        "date_created": "2026-03-02T09:20:00+00:00",
        "date_modified": "2026-03-02T09:29:00+00:00",
        "pages": [{"id": "1", "questions": list(questions)}],
    } | response


RECOMMENDED = {
    "id": "2001",
    "heading": "How likely is it that you would recommend us to a colleague?",
    "answers": [{"choice_id": "7", "simple_text": "9", "choice_metadata": {"weight": "9"}}],
}

SURVEY_SENDERS = [
    Sender(
        connector="typeform",
        payload=json.dumps(typeform_event(scored(9))).encode(),
        sign=signed_by(typeform_responses.SIGNATURE),
        secrets=SECRETS,
        unknown=json.dumps(typeform_event(scored(9)) | {"event_type": "teleported"}).encode(),
        signed_headers=(typeform_responses.SIGNATURE.header,),
        covers="body",
        event="signal",
    ),
    Sender(
        connector="delighted",
        payload=json.dumps(delighted_event()).encode(),
        sign=signed_by(delighted_responses.SIGNATURE),
        secrets=SECRETS,
        unknown=json.dumps(delighted_event("survey_response.teleported")).encode(),
        signed_headers=(delighted_responses.SIGNATURE.header,),
        covers="body",
        event="signal",
    ),
    Sender(
        connector="surveymonkey",
        payload=json.dumps(surveymonkey_response(RECOMMENDED)).encode(),
        sign=signed_by(surveymonkey_responses.SIGNATURE),
        secrets=("id&last year's", "id&this year's", "id&somebody else's"),
        unknown=json.dumps({"event_type": "teleported", "object_id": "5", "object_type": "response"}).encode(),
        signed_headers=(surveymonkey_responses.SIGNATURE.header,),
        covers="body",
        event="signal",
        greets=("GET", "HEAD"),
    ),
]
