"""Zendesk (id `zendesk`): whatever its webhooks carry, as canonical interactions and survey signals.

Event webhooks are read here, in the shape that `zendesk_payload` knows; `zendesk_triggers` reads the bodies of
triggers, `zendesk_messaging` the webhooks of messaging, `zendesk_objects` the objects of the API, and
`zendesk_eventbridge` translates what Amazon EventBridge carries. Who is staff and what is public is Zendesk's own word
at the time of the event. Ticket numbers become conversations `<instance>:<number>`, so that two Zendesks do not meet.
"""

from collections.abc import Callable
from functools import partial
from typing import Any

import msgspec

from schemas.interaction import Author
from streams.connectors.connector_contract import (
    ConnectorKind,
    Ignored,
    Instance,
    Reading,
    Refused,
    Verifier,
    WebhookRequest,
)
from streams.connectors.drafting import Drafter
from streams.connectors.helpdesks.zendesk_eventbridge import as_webhook
from streams.connectors.helpdesks.zendesk_messaging import is_messaging, messaging_events
from streams.connectors.helpdesks.zendesk_objects import ZendeskObjects, objects_in
from streams.connectors.helpdesks.zendesk_payload import SYSTEM_USER, ZendeskEvent, id_text, score_of, word
from streams.connectors.helpdesks.zendesk_ticket import ZendeskTicket
from streams.connectors.helpdesks.zendesk_triggers import trigger_events
from streams.connectors.hmac_signatures import HmacScheme, HmacVerifier
from streams.connectors.payload_reading import Json, Malformed, read_json, text
from streams.connectors.shared_secrets import signed_or_shown
from streams.connectors.signatures import raw_text

PREFIX = "zen:event-type:"
WITHOUT_EFFECT = frozenset(
    {
        "ticket.attachment_linked_to_comment",
        "ticket.attachment_redacted_from_comment",
        "ticket.brand_changed",
        "ticket.csat_requested",
        "ticket.custom_field_changed",
        "ticket.custom_status_changed",
        "ticket.description_changed",
        "ticket.email_ccs_changed",
        "ticket.external_id_changed",
        "ticket.followers_changed",
        "ticket.form_changed",
        "ticket.next_sla_breach_changed",
        "ticket.ola_policy_changed",
        "ticket.problem_link_changed",
        "ticket.schedule_changed",
        "ticket.sla_policy_changed",
        "ticket.subject_changed",
        "ticket.submitter_changed",
        "ticket.task_due_at_changed",
        "ticket.type_changed",
    }
)
"""Documented ticket events that move no promise of ours. Zendesk's own SLA events are among them: Careline keeps its
own clocks."""

OTHER_DOMAINS = (
    "agent",
    "article",
    "community_post",
    "custom_object",
    "messaging_live_metrics",
    "omnichannel_config",
    "organization",
    "side_conversation",
    "user",
)


class ZendeskEvents:
    """Reads ticket events."""

    def __init__(self, instance: Instance) -> None:
        self._instance = instance

    def normalise(self, request: WebhookRequest) -> Reading:
        """One event, or the objects of a body, as the interactions and signals that they mean."""
        payload = read_json(request.body)
        if isinstance(payload, Refused):
            return [payload]
        try:
            return self._read(payload, request)
        except (msgspec.ValidationError, Malformed, OverflowError) as error:
            return [Refused("malformed_payload", str(error))]

    def _read(self, payload: Json, request: WebhookRequest) -> Reading:
        drafter = Drafter(self._instance, request, "other")
        payload = as_webhook(payload) or payload
        kind = text(payload, "type") or ""
        if kind.startswith(PREFIX):
            return self._event(kind.removeprefix(PREFIX), payload, drafter)
        if is_messaging(payload):
            return messaging_events(payload, drafter)
        found = objects_in(payload)
        if found:
            return ZendeskObjects(drafter, payload).read(found)
        told = trigger_events(payload, request, drafter)
        if told is None:
            raise Malformed("Object contains no event type and no ticket - at `$.type`")
        return told

    @staticmethod
    def _event(event_type: str, payload: Json, drafter: Drafter) -> Reading:
        handler = _HANDLERS.get(event_type)
        if handler is None:
            return [_unhandled(event_type)]
        event = msgspec.convert(payload, ZendeskEvent)
        return handler(ZendeskTicket(event, drafter))


def _unhandled(event_type: str) -> Ignored | Refused:
    if event_type in WITHOUT_EFFECT:
        return Ignored("without_effect")
    if event_type.partition(".")[0] in OTHER_DOMAINS:
        return Ignored("other_subject")
    return Refused("not_understood", f"the event type {event_type[:80]!r} is not known")


def _created(ticket: ZendeskTicket) -> Reading:
    detail = ticket.detail
    requester, submitter = id_text(detail.requester_id), id_text(detail.submitter_id)
    # A ticket that somebody else submitted for the requester begins with that somebody's comment: staff in practice.
    filed_for_them = submitter is not None and submitter != requester
    author = Author("agent", submitter) if filed_for_them else Author("customer", requester)
    if submitter == SYSTEM_USER:
        author = Author("system", submitter)
    opening = ticket.opening(author)
    status = word(detail.status)
    if status in {None, "new", "open"}:
        return [opening]
    return [opening, ticket.status(status)]


def _comment_added(ticket: ZendeskTicket) -> Reading:
    comment = ticket.change.comment
    author = (comment or {}).get("author")
    if comment is None or not isinstance(author, dict):
        return [Refused("malformed_payload", "Object missing the comment or its author - at `$.event.comment`")]
    author_id, body = id_text(author.get("id")), comment.get("body")
    staff, public = author.get("is_staff"), comment.get("is_public")
    if not isinstance(staff, bool) or not isinstance(public, bool):
        return [Refused("malformed_payload", "Expected booleans is_public and author.is_staff - at `$.event.comment`")]
    by_rule = author_id == SYSTEM_USER
    kind = "system" if by_rule else "agent" if staff else "customer"
    return [
        ticket.comment(
            Author(kind, author_id),  # type: ignore[arg-type]  # one of three words
            public=public,
            text=body if isinstance(body, str) else None,
            automated="trigger" if by_rule else None,
            **_comment_reference(ticket),
        )
    ]


def _messaging_message(ticket: ZendeskTicket) -> Reading:
    actor, message = ticket.change.actor or {}, ticket.change.message or {}
    kinds = {"end_user": "customer", "agent": "agent", "trigger": "system", "system": "bot"}
    kind = kinds.get(str(actor.get("type")))
    if kind is None:
        return [Refused("malformed_payload", f"Unknown actor type {actor.get('type')!r} - at `$.event.actor.type`")]
    body = message.get("body")
    author = Author(kind, id_text(actor.get("id")))  # type: ignore[arg-type]  # one of four words
    automated = {"system": "trigger", "bot": "bot"}.get(kind)
    written = body if isinstance(body, str) else None
    return [ticket.chat_message(author, written, automated)]


def _status_changed(ticket: ZendeskTicket) -> Reading:
    return [ticket.status(word(ticket.change.current) or word(ticket.detail.status))]


def _undeleted(ticket: ZendeskTicket) -> Reading:
    return [ticket.status(word(ticket.detail.status) or "open")]


def _priority_changed(ticket: ZendeskTicket) -> Reading:
    priority = word(ticket.change.current) or word(ticket.detail.priority)
    if priority is None:
        return [Ignored("without_effect")]
    return [ticket.changed("priority_changed", "priority", priority, priority=priority)]


def _agent_assigned(ticket: ZendeskTicket) -> Reading:
    agent = id_text(ticket.change.current)
    return [ticket.changed("assigned", "assignee_id", agent, agent=agent)]


def _group_assigned(ticket: ZendeskTicket) -> Reading:
    team = id_text(ticket.change.current)
    return [ticket.changed("assigned", "group_id", team, team=team)]


def _tags_changed(ticket: ZendeskTicket) -> Reading:
    return [ticket.changed("tagged", "tags", None)]


def _organization_changed(ticket: ZendeskTicket) -> Reading:
    current = id_text(ticket.change.current) or id_text(ticket.detail.organization_id)
    return [ticket.changed("account_changed", "organization_id", current)]


def _requester_changed(ticket: ZendeskTicket) -> Reading:
    current = id_text(ticket.change.current) or id_text(ticket.detail.requester_id)
    return [ticket.changed("account_changed", "requester_id", current)]


def _merged(ticket: ZendeskTicket) -> Reading:
    target = id_text(ticket.change.target_ticket_id)
    if target is None:
        return [Refused("malformed_payload", "Object missing the surviving ticket - at `$.event.target_ticket_id`")]
    return [ticket.merged(target)]


def _spam(ticket: ZendeskTicket) -> Reading:
    return [ticket.changed("status_changed", "status", "spam", status="spam", source_status="spam")]


def _deleted(ticket: ZendeskTicket) -> Reading:
    return [ticket.status("deleted")]


def _made_private(ticket: ZendeskTicket) -> Reading:
    return [ticket.edited("private", public=False, **_comment_reference(ticket))]


def _redacted(ticket: ZendeskTicket) -> Reading:
    return [ticket.edited("redacted", **_comment_reference(ticket))]


def _comment_reference(ticket: ZendeskTicket) -> dict[str, Any]:
    comment = id_text((ticket.change.comment or {}).get("id"))
    return {"raw_reference": f"zendesk:comment:{comment}"} if comment else {}


def _csat_received(ticket: ZendeskTicket) -> Reading:
    said = ticket.change.satisfaction_score
    about = said if isinstance(said, dict) else {"score": ticket.change.current if said is None else said}
    score, comment = about.get("score"), about.get("comment")
    marks = score_of(score)
    if marks is None:
        return [Refused("not_understood", f"the satisfaction score {str(score)[:40]!r} is not known")]
    return [ticket.rating(score, *marks, comment if isinstance(comment, str) else None)]


_HANDLERS: dict[str, Callable[[ZendeskTicket], Reading]] = {
    "ticket.created": _created,
    "ticket.comment_added": _comment_added,
    "messaging_ticket.message_added": _messaging_message,
    "ticket.status_changed": _status_changed,
    "ticket.undeleted": _undeleted,
    "ticket.priority_changed": _priority_changed,
    "ticket.agent_assignment_changed": _agent_assigned,
    "ticket.group_assignment_changed": _group_assigned,
    "ticket.tags_changed": _tags_changed,
    "ticket.organization_changed": _organization_changed,
    "ticket.requester_changed": _requester_changed,
    "ticket.merged": _merged,
    "ticket.marked_as_spam": _spam,
    "ticket.soft_deleted": _deleted,
    "ticket.permanently_deleted": _deleted,
    "ticket.comment_made_private": _made_private,
    "ticket.comment_redacted": _redacted,
    "ticket.csat_received": _csat_received,
}

SIGNATURE = HmacScheme(
    header="x-zendesk-webhook-signature",
    written="base64",
    timestamp_header="x-zendesk-webhook-signature-timestamp",
    signed=lambda request, timestamp: raw_text(timestamp) + request.body,
)
"""Source: Zendesk developer documentation, "Verifying webhooks". The time is ISO 8601 (`2021-03-25T05:09:27Z`)."""
KEY = "x-api-key"


def _verifier(instance: Instance) -> Verifier:
    """Zendesk signs; the webhooks of messaging bring the key that is configured as a token."""
    return signed_or_shown(instance, partial(HmacVerifier, SIGNATURE), SIGNATURE.header, header=KEY)


ZENDESK = ConnectorKind(
    id="zendesk",
    title="Zendesk webhooks: events, triggers, messaging",
    normaliser=ZendeskEvents,
    verifier=_verifier,
    setup=(
        "Admin Center > Apps and integrations > Webhooks > Create webhook > Zendesk events:\n"
        "subscribe to the ticket events, endpoint https://<your host>/in/zendesk,\n"
        "format JSON, method POST; then copy its signing secret. A webhook for triggers is signed the same; let its\n"
        "body name {{ticket.id}}, {{ticket.latest_comment}}, {{ticket.status}}, {{ticket.requester.email}}.\n"
        "Messaging (Conversations API): POST a webhook with the trigger conversation:message; its shared secret goes\n"
        "under `tokens:`."
    ),
)
