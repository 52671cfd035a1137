"""Aircall (id `aircall`): calls, their comments and tags, and text messages.

Source: Aircall developer documentation, "Webhooks". Aircall signs nothing: the body has the token that it showed when
the webhook was made. Events come at least once and in any order. `aircall_calls` says what they mean.
"""

from collections.abc import Sequence
from functools import partial

from streams.connectors.connector_contract import (
    ConnectorKind,
    Ignored,
    Instance,
    Reading,
    Refused,
    Verdict,
    WebhookRequest,
)
from streams.connectors.drafting import Drafter
from streams.connectors.payload_reading import (
    Json,
    instant,
    read_each,
    read_json,
    read_one,
    required,
    table,
    tables,
    text,
    word,
)
from streams.connectors.phone.aircall_calls import AircallCall, text_message
from streams.connectors.shared_secrets import KnownTokens

OTHER_SUBJECTS = frozenset(
    {
        "action_item",
        "ai_voice_agent",
        "analytics",
        "call_evaluation",
        "contact",
        "conversation_intelligence",
        "custom_summary",
        "integration",
        "number",
        "playbook_result",
        "realtime_transcription",
        "sentiment",
        "summary",
        "team",
        "topics",
        "transcription",
        "user",
    }
)


class TokenInBody:
    """The token of an Aircall webhook, which stands in the body of every event."""

    def __init__(self, secrets: Sequence[str]) -> None:
        """Take the tokens; several while one webhook replaces another.

        Raises:
            ValueError: there is none, or one is empty.
        """
        self._tokens = KnownTokens(secrets)

    def verify(self, request: WebhookRequest) -> Verdict:
        """Whether the token is one of ours."""
        token = text(read_json(request.body), "token")
        return self._tokens.judge([token] if token is not None else [])


class AircallWebhooks:
    """Reads events, and calls as the API has them."""

    def __init__(self, instance: Instance) -> None:
        self._instance = instance

    def normalise(self, request: WebhookRequest) -> Reading:
        """What one request tells."""
        payload = read_json(request.body)
        if isinstance(payload, Refused):
            return [payload]
        read = partial(_meaning, Drafter(self._instance, request, "phone"))
        listed = payload if isinstance(payload, list) else list(tables(payload, "calls"))
        return read_each(listed, read) if listed else read_one(payload, read)


def _meaning(drafter: Drafter, payload: Json) -> Reading:
    event = word(payload, "event") or word(payload, "event_name")
    if event is None:
        call = table(payload, "call") or payload
        required(word(call, "direction"), "$.event")
        return AircallCall(drafter, call, None).recorded()
    subject, _, what = event.partition(".")
    data, sent_at = table(payload, "data"), instant(payload, "timestamp")
    if subject == "call":
        return AircallCall(drafter, data, sent_at).told(what)
    if subject in {"message", "group_message"}:
        return [text_message(drafter, data, what, sent_at)]
    if subject in OTHER_SUBJECTS:
        return [Ignored("other_subject")]
    return [Refused("not_understood", f"the event {event[:80]!r} is not known")]


AIRCALL = ConnectorKind(
    id="aircall",
    title="Aircall: calls, comments and messages",
    normaliser=AircallWebhooks,
    verifier=lambda instance: TokenInBody(instance.secrets),
    setup=(
        "Dashboard > Integrations > Webhooks (or POST /v1/webhooks): https://<your host>/in/aircall, all events.\n"
        "The secret is the token that Aircall shows for the webhook; it stands in every event, and nothing is signed:\n"
        "keep the address secret and use HTTPS."
    ),
)
