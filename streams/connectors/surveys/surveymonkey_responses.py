"""SurveyMonkey (id `surveymonkey`): what its webhooks tell, and full responses where somebody sends them.

A webhook of SurveyMonkey's says only that there is a response (`needs_fetch`). A full one, as the API gives it with
its details, becomes survey signals by way of `survey_questions`.

Source: SurveyMonkey API documentation, "Webhook callbacks" (the key is `<client id>&<client secret>`, the digest
HMAC-SHA1 in base64; the address is asked with HEAD or GET before a webhook is made) and "Survey responses".
"""

from collections.abc import Iterator
from functools import partial

from streams.connectors.accounts_directory import identities_of_address
from streams.connectors.connector_contract import (
    ConnectorKind,
    Draft,
    Ignored,
    Instance,
    ProviderAnswer,
    Reading,
    Refused,
    Verdict,
    WebhookRequest,
)
from streams.connectors.drafting import Drafter
from streams.connectors.hmac_signatures import HmacScheme, HmacVerifier
from streams.connectors.payload_reading import (
    Json,
    at,
    id_text,
    instant,
    number,
    read_each,
    read_json,
    read_one,
    required,
    table,
    tables,
    text,
    word,
)
from streams.connectors.surveys.survey_questions import OPTIONS, Mark, configured_kinds, kind_of_question, mark_of

SIGNATURE = HmacScheme(header="sm-signature", digest="sha1", written="base64")

RESPONSE_EVENTS = frozenset(
    {
        "response_completed",
        "response_created",
        "response_disqualified",
        "response_overquota",
        "response_updated",
    }
)
OTHER_EVENTS = ("app_", "collector_", "contact_", "response_deleted", "survey_")


def is_there(instance: Instance, request: WebhookRequest, verdict: Verdict) -> ProviderAnswer | None:  # noqa: ARG001
    """The check before a webhook is made: somebody must answer at the address."""
    return ProviderAnswer() if request.method in {"GET", "HEAD"} else None


class SurveyMonkeyResponses:
    """Reads webhooks and responses."""

    def __init__(self, instance: Instance) -> None:
        self._instance = instance
        self._kinds = configured_kinds(instance)

    def normalise(self, request: WebhookRequest) -> Reading:
        """The signals of a response that is there; why there are none of a webhook that only names one."""
        payload = read_json(request.body)
        if isinstance(payload, Refused):
            return [payload]
        if "subscription_url" in table(payload):
            return [Ignored("other_subject")]
        event = word(payload, "event_type")
        if event is not None:
            return [_without_content(event)]
        read = partial(self._response, drafter=Drafter(self._instance, request, "survey"))
        listed = at(payload, "data")
        if isinstance(listed, list):
            return read_each(listed, read) or [Ignored("nothing_inside")]
        return read_one(payload, read)

    def _response(self, response: Json, drafter: Drafter) -> Iterator[Draft | Ignored]:
        response_id = required(id_text(response, "id"), "$.id")
        if "pages" not in response and "response_status" not in response:
            required(id_text(response, "href"), "$.pages")
            yield Ignored("needs_fetch")
            return
        people = _identities(response)
        questions = [question for page in tables(response, "pages") for question in tables(page, "questions")]
        marks = [(question, mark) for question in questions if (mark := self._mark(question)) is not None]
        if not marks:
            yield Ignored("no_known_question" if questions else "needs_fetch")
        elif not people:
            yield Ignored("nobody_named")
        else:
            modified = instant(response, "date_modified")
            remarks = "\n".join(said for question in questions if (said := _remark(question))) or None
            for question, mark in marks:
                yield drafter.signal(
                    f"{response_id}:{id_text(question, 'id') or mark.kind}",
                    "survey",
                    mark.kind,
                    mark.value,
                    modified or instant(response, "date_created"),
                    identities=people,
                    scale=mark.scale,
                    text=remarks,
                    # Seconds since 1970: it grows when somebody comes back and answers differently.
                    version=int(modified.timestamp()) if modified is not None else 0,
                    raw_reference=f"surveymonkey:response:{response_id}",
                )

    def _mark(self, question: Json) -> Mark | None:
        """The answer to one question: its weight, or the text of its choice, which the simple form has."""
        kind = self._kinds.get(id_text(question, "id") or "") or kind_of_question(
            text(question, "variable_id"), text(question, "heading")
        )
        answers = list(tables(question, "answers"))
        if kind is None or len(answers) != 1:
            return None
        answer = answers[0]
        weight, written = number(answer, "choice_metadata", "weight"), number(answer, "simple_text")
        said = written if written is not None else number(answer, "text")
        # Weights are the survey maker's to set, and may say what an answer counts for (-100, 0, 100). A recommendation
        # is answered from 0 to 10, so there the choice's own number is the mark.
        preferred = (said, weight) if kind == "nps" else (weight, said)
        return mark_of(kind, next((value for value in preferred if value is not None), None), None)


def _without_content(event: str) -> Ignored | Refused:
    if event in RESPONSE_EVENTS:
        return Ignored("needs_fetch")
    if event.startswith(OTHER_EVENTS):
        return Ignored("other_subject")
    return Refused("not_understood", f"the event type {event[:80]!r} is not known")


def _remark(question: Json) -> str | None:
    """What was written into an open question or beside a choice."""
    written = [
        said
        for answer in tables(question, "answers")
        if id_text(answer, "choice_id") is None and (said := text(answer, "text")) and number(said) is None
    ]
    return "\n".join(written) or None


def _identities(response: Json) -> tuple[str, ...]:
    """The contact whom the company invited, its own variables in the link, else nobody."""
    variables = {key.lower(): value for key, value in table(response, "custom_variables").items()}
    account = id_text(variables, "account_id") or id_text(variables, "account")
    user = id_text(variables, "user_id") or id_text(response, "custom_value")
    told = text(response, "metadata", "contact", "email", "value") or text(response, "email_address")
    contact = told or text(variables, "email")
    recipient = id_text(response, "recipient_id")
    return (
        *([f"account:{account}"] if account else []),
        *identities_of_address(contact),
        *([f"user:{user}"] if user else []),
        *([f"surveymonkey_recipient:{recipient}"] if recipient and recipient != "0" else []),
    )


SURVEYMONKEY = ConnectorKind(
    id="surveymonkey",
    title="SurveyMonkey: survey answers",
    normaliser=SurveyMonkeyResponses,
    verifier=lambda instance: HmacVerifier(SIGNATURE, instance.secrets),
    handshake=is_there,
    options=OPTIONS,
    setup=(
        "Make a webhook of your app for response_completed and response_updated with the address\n"
        "https://<your host>/in/surveymonkey. The secret is <client id>&<client secret>, with the & between them.\n"
        "Webhooks only name a response: let whoever fetches it post its details here, signed in the same way."
    ),
)
