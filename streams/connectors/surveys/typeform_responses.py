"""Typeform (id `typeform`): submitted forms as survey signals, by webhook or as pages of the Responses API.

`survey_questions` decides which answer is a measure. A response may also be a request: the option `message` names the
question whose text opens a conversation. Identities come from the form's hidden fields, which the company fills in
itself; an address that somebody typed is `unverified_email`.

Source: Typeform developer documentation, "Webhooks example payload", "JSON response explanation", "Secure your
webhooks".
"""

from collections.abc import Iterator
from functools import partial
from typing import NamedTuple

from schemas.interaction import Author
from schemas.interaction_words import SurveyKind
from streams.connectors.accounts_directory import identities_of_address
from streams.connectors.connector_contract import (
    ConnectorKind,
    Draft,
    Ignored,
    Instance,
    Reading,
    Refused,
    WebhookRequest,
)
from streams.connectors.drafting import Drafter
from streams.connectors.hmac_signatures import HmacScheme, HmacVerifier
from streams.connectors.payload_reading import (
    Json,
    flag,
    id_text,
    instant,
    items,
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
from streams.connectors.surveys.survey_questions import OPTIONS, configured_kinds, kind_of_question, mark_of

SIGNATURE = HmacScheme(header="typeform-signature", written="base64", prefix="sha256=")

COMPLETED = frozenset({"form_response"})
UNFINISHED = frozenset({"form_response_partial", "partial", "started"})
"""Words of a webhook's `event_type` and of the API's `response_type`: somebody may still go on."""

SCALES = frozenset({"nps", "opinion_scale", "rating"})
"""Fields whose number is a mark; any other number is a count, a price or an age."""

LONG_REMARKS = frozenset({"long_text", "textarea"})
REMARKS = LONG_REMARKS | {"short_text", "textfield"}
"""Fields for words, under their names of today and of 2016."""

ACCOUNT_FIELDS = ("account", "account_id", "company_id", "customer_code", "org_id", "workspace_id")
USER_FIELDS = ("user_id", "userid", "customer_id", "contact_id")
"""Hidden fields that carry an id, under the names that forms give them."""

PERSONS = ("email", "user", "unverified_email")
"""Identities that say who wrote a message."""


class Question(NamedTuple):
    """A question of the form's definition, as far as it is known."""

    title: str | None = None
    steps: int | None = None
    from_zero: bool | None = None


class TypeformResponses:
    """Reads responses."""

    def __init__(self, instance: Instance) -> None:
        self._instance = instance
        self._kinds = configured_kinds(instance)
        self._message = instance.options.get("message")

    def normalise(self, request: WebhookRequest) -> Reading:
        """One response as the signals it holds; a page of the API as those of all of its responses."""
        payload = read_json(request.body)
        if isinstance(payload, Refused):
            return [payload]
        drafter = Drafter(self._instance, request, "form")
        return read_one(payload, partial(self._read, drafter=drafter))

    def _read(self, payload: Json, drafter: Drafter) -> Iterator[Draft | Ignored | Refused]:
        payload = table(payload, "raw_webhook_event") or payload  # as Pipedream hands it on
        event = word(payload, "event_type")
        if event in UNFINISHED:
            yield Ignored("not_yet")
        elif event is not None and event not in COMPLETED:
            yield Refused("not_understood", f"the event type {event[:80]!r} is not known")
        elif "form_response" in table(payload):
            yield from self._response(table(payload, "form_response"), drafter)
        elif isinstance(table(payload).get("items"), list) and "page_count" in payload:
            responses = items(payload, "items")
            yield from read_each(responses, partial(self._response, drafter=drafter)) or [Ignored("nothing_inside")]
        elif isinstance(table(payload).get("fields"), list) and "answers" not in payload:
            yield Ignored("other_subject")
        else:
            yield from self._response(table(payload), drafter)

    def _response(self, response: Json, drafter: Drafter) -> Iterator[Draft | Ignored]:
        token = required(id_text(response, "token") or id_text(response, "response_id"), "$.form_response.token")
        if word(response, "response_type") in UNFINISHED:
            yield Ignored("not_yet")
            return
        answers = list(tables(response, "answers"))
        people = _identities(table(response, "hidden"), answers)
        found = [*self._request(token, response, answers, people, drafter)]
        marks = list(self._marks(response, answers))
        if marks and not people:
            found.append(Ignored("nobody_named"))
        for index, (at, kind, value, scale) in enumerate(marks if people else []):
            until = marks[index + 1][0] if index + 1 < len(marks) else len(answers)
            said = [remark for remark in map(_remark, answers[at if index else 0 : until]) if remark]
            made = drafter.signal(
                f"{token}:{_field_id(answers[at]) or at}",
                "survey",
                kind,
                value,
                instant(response, "submitted_at"),
                identities=people,
                scale=scale,
                text="\n".join(said) or None,
                raw_reference=f"typeform:response:{token}",
            )
            found.append(made)
        yield from found or [Ignored("no_known_question")]

    def _request(
        self, token: str, response: Json, answers: list[Json], people: tuple[str, ...], drafter: Drafter
    ) -> Iterator[Draft | Ignored]:
        """The message that a response is, where the instance says that the form asks for one."""
        asked = (answer for answer in answers if self._message and self._message in _names(answer))
        said = next((found for answer in asked if (found := text(answer, "text"))), None)
        if said is not None:
            named = (person.partition(":")[2] for person in people if person.partition(":")[0] in PERSONS)
            author = Author("customer", next(named, None))
            at = instant(response, "submitted_at")
            yield drafter.interaction(token, "message", token, at, author, identities=people, text=said)

    def _marks(self, response: Json, answers: list[Json]) -> Iterator[tuple[int, SurveyKind, float, float]]:
        questions = _questions(response)
        for index, answer in enumerate(answers):
            names, field = _names(answer), _kind_of_field(table(answer, "field"))
            question = next((questions[name] for name in names if name in questions), Question())
            kind = next((self._kinds[name] for name in names if name in self._kinds), None)
            if kind is None and field in SCALES:
                kind = "nps" if field == "nps" else kind_of_question(*names, question.title)
                kind = kind or ("csat" if field == "rating" else None)
            if kind is None:
                continue
            mark = mark_of(kind, number(answer, "number"), question.steps, from_zero=question.from_zero)
            if mark is not None:
                yield index, mark.kind, mark.value, mark.scale


def _questions(response: Json) -> dict[str, Question]:
    """The questions by id and by reference, those of groups and matrices among them."""
    found: dict[str, Question] = {}
    waiting = list(items(response, "definition", "fields"))
    while waiting:
        field = waiting.pop()
        properties = table(field, "properties")
        waiting += items(properties, "fields")
        steps, starts_at_one = number(properties, "steps"), flag(properties, "start_at_one")
        whole = int(steps) if steps is not None else None
        # Ratings are stars and begin at one; an opinion scale says where it begins, and at 0 if it does not.
        from_zero = _kind_of_field(field) == "opinion_scale" and starts_at_one is not True
        question = Question(text(field, "title"), whole, from_zero)
        found |= {name: question for key in ("id", "ref") if (name := id_text(field, key)) is not None}
    return found


def _kind_of_field(field: Json) -> str:
    """What kind of question it is; the first webhooks wrote `opinion-scale`."""
    return (word(field, "type") or "").replace("-", "_")


def _names(answer: Json) -> list[str]:
    return [name for key in ("ref", "id") if (name := id_text(answer, "field", key)) is not None]


def _field_id(answer: Json) -> str | None:
    return id_text(answer, "field", "id") or id_text(answer, "field", "ref")


def _remark(answer: Json) -> str | None:
    """What somebody wrote in their own words: long texts, and short ones that are more than a name."""
    said = text(answer, "text")
    kind = _kind_of_field(table(answer, "field"))
    if said is None or kind not in REMARKS:
        return None
    return said if kind in LONG_REMARKS or len(said.split()) > _MOST_WORDS_OF_A_NAME else None


_MOST_WORDS_OF_A_NAME = 4


def _identities(hidden: dict[str, Json], answers: list[Json]) -> tuple[str, ...]:
    """Whose response it is: what the company put into the form first, what the person typed last."""
    known = {key.lower(): value for key, value in hidden.items()}
    account = next((found for key in ACCOUNT_FIELDS if (found := id_text(known, key))), None)
    user = next((found for key in USER_FIELDS if (found := id_text(known, key))), None)
    address = next((found for key in ("email", *known) if "@" in (found := text(known, key) or "")), None)
    typed = next((found for answer in answers if (found := text(answer, "email"))), None)
    return (
        *([f"account:{account}"] if account else []),
        *identities_of_address(address),
        *([f"user:{user}"] if user else []),
        *identities_of_address(typed, vouched_for=False),
    )


TYPEFORM = ConnectorKind(
    id="typeform",
    title="Typeform: survey answers",
    normaliser=TypeformResponses,
    verifier=lambda instance: HmacVerifier(SIGNATURE, instance.secrets),
    options=OPTIONS | {"message": "id or reference of the question whose text is a request and opens a conversation"},
    setup=(
        "In the form: Connect > Webhooks > Add a webhook, endpoint https://<your host>/in/typeform, and a secret.\n"
        "Add hidden fields (account, user_id, email) to the form and fill them in the links that you send,\n"
        "so that answers find their account. Give questions the reference csat, nps or ces, or name them in\n"
        "connectors.yaml, where their wording does not tell."
    ),
)
