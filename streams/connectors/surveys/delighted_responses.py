"""Delighted (id `delighted`): answers to NPS, CSAT and CES surveys, each as often as it is corrected.

A response is sent when its score is given and again when a comment follows or the score changes: the same signal with
a higher version. `survey_questions` knows the scales of the other surveys.

Source: Delighted API documentation, "Webhooks" and "Survey responses"; further payloads in zulip/zulip
`zerver/webhooks/delighted/fixtures`.
"""

from collections.abc import Iterator
from functools import partial

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
    id_text,
    instant,
    number,
    read_each,
    read_json,
    read_one,
    required,
    table,
    text,
    word,
)
from streams.connectors.phone_numbers import phone_identities

SIGNATURE = HmacScheme(header="x-delighted-webhook-signature", prefix="sha256=")

RESPONSES = frozenset({"survey_response.created", "survey_response.updated"})
WITHOUT_SCORE = ("unsubscribed", "person.", "bounced", "survey_request.", "survey_response.deleted")
"""Events about people and mails, which say nothing of how anybody feels."""

SURVEYS: dict[str, tuple[SurveyKind, float]] = {
    "nps": ("nps", 10.0),
    "csat": ("csat", 5.0),
    "csat3": ("csat", 3.0),
    "smileys": ("csat", 5.0),
    "stars": ("csat", 5.0),
    "5-star": ("csat", 5.0),
    "thumbs": ("csat", 1.0),
    "ces": ("ces", 5.0),
    "ces7": ("ces", 7.0),
}
"""Kinds of surveys by the word in `survey_type`. One that says none is NPS, for years the only one there was."""

OTHER_SURVEYS = {"enps": "other_subject", "pmf": "no_known_question"}
"""Employees are asked for eNPS, who are no customers. Product/market fit has no mark: how disappointed somebody would
be without the product."""


class DelightedResponses:
    """Reads responses."""

    def __init__(self, instance: Instance) -> None:
        self._instance = instance

    def normalise(self, request: WebhookRequest) -> Reading:
        """One response as one signal, from the webhook's envelope or as the API gives it; or a list of them."""
        payload = read_json(request.body)
        if isinstance(payload, Refused):
            return [payload]
        read = partial(_read, drafter=Drafter(self._instance, request, "survey"))
        if isinstance(payload, list):
            return read_each(payload, read) or [Ignored("nothing_inside")]
        return read_one(payload, read)


def _read(payload: Json, drafter: Drafter) -> Iterator[Draft | Ignored | Refused]:
    event = word(payload, "event_type")
    if event is None:
        yield _signal(table(payload), drafter)
    elif event.startswith(WITHOUT_SCORE):
        yield Ignored("no_answer")
    elif event not in RESPONSES:
        yield Refused("not_understood", f"the event type {event[:80]!r} is not known")
    else:
        yield _signal(table(payload, "event_data"), drafter)


def _signal(response: Json, drafter: Drafter) -> Draft | Ignored | Refused:
    response_id = required(id_text(response, "id"), "$.event_data.id")
    if "score" not in response and "email" in response:
        return Ignored("no_answer")  # a person of the API, who has an id as well
    score = required(number(response, "score"), "$.event_data.score")
    named = word(response, "survey_type") or "nps"
    survey = SURVEYS.get(named.replace("_", ""))
    if named in OTHER_SURVEYS:
        return Ignored(OTHER_SURVEYS[named])
    if survey is None:
        return Refused("not_understood", f"the survey type {named[:40]!r} is not known")
    kind, scale = survey
    if not 0 <= score <= scale:
        return Refused("malformed_payload", f"{kind} of {score:g} on a scale to {scale:g} - at `$.event_data.score`")
    people = _identities(response)
    if not people:
        return Ignored("nobody_named")
    created, updated = instant(response, "created_at"), instant(response, "updated_at")
    corrected = updated is not None and updated != created
    return drafter.signal(
        response_id,
        "survey",
        kind,
        score,
        created or updated,
        identities=people,
        scale=scale,
        text=text(response, "comment"),
        # Seconds since 1970 of the correction: it grows with every one, however many were missed.
        version=int(updated.timestamp()) if updated is not None and corrected else 0,
        raw_reference=f"delighted:response:{response_id}",
    )


def _identities(response: Json) -> tuple[str, ...]:
    """The person, whom the API gives as an id unless it is asked to expand it."""
    properties = table(response, "person_properties")
    known = {key.strip().lower().replace(" ", "_"): value for key, value in properties.items()}
    account = next((found for key in ("account_id", "company_id") if (found := id_text(known, key))), None)
    user = next((found for key in ("user_id", "customer_id") if (found := id_text(known, key))), None)
    person = id_text(response, "person", "id") or id_text(response, "person")
    return (
        *([f"account:{account}"] if account else []),
        *identities_of_address(text(response, "person", "email")),
        *phone_identities(text(response, "person", "phone_number")),  # whom an SMS asked
        *([f"user:{user}"] if user else []),
        *([f"delighted_person:{person}"] if person else []),
    )


DELIGHTED = ConnectorKind(
    id="delighted",
    title="Delighted: NPS, CSAT and CES answers",
    normaliser=DelightedResponses,
    verifier=lambda instance: HmacVerifier(SIGNATURE, instance.secrets),
    setup=(
        "Integrations > Webhooks > New webhook: URL https://<your host>/in/delighted, all survey responses,\n"
        "and the shared key as the secret here. Send account_id or user_id as properties of people where you have them."
    ),
)
