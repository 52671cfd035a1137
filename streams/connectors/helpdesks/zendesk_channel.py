"""Zendesk (id `zendesk`): the ticket events of its event webhooks, as canonical interactions and survey signals.

`zendesk_payload` knows the shape, `signatures.ZendeskSignature` the signature. Who is staff and what is public is
Zendesk's own word at the time of the event. Ticket numbers become conversations `<instance>:<number>`, so that two
Zendesks do not meet.
"""

from collections.abc import Callable

import msgspec

from schemas.interaction import Author
from streams.connectors.connector_contract import (
    ConnectorKind,
    Ignored,
    Instance,
    Reading,
    Refused,
    WebhookRequest,
)
from streams.connectors.helpdesks.zendesk_payload import envelope_decoder, event_decoder, id_text, word
from streams.connectors.helpdesks.zendesk_ticket import SYSTEM_USER, ZendeskTicket
from streams.connectors.signatures import ZendeskSignature

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
    "messaging_live_metrics",
    "omnichannel_config",
    "organization",
    "user",
)

RATINGS = {"good": 1.0, "bad": 0.0}
"""The classic two-valued satisfaction rating, on a scale of 1."""
STARS = 5.0
"""The newer surveys rate from 1 to 5."""


class ZendeskEvents:
    """Reads ticket events."""

    def __init__(self, instance: Instance) -> None:
        self._instance = instance

    def normalise(self, request: WebhookRequest) -> Reading:
        """One ticket event as the interactions or the signal that it means."""
        try:
            request.body.decode()  # the decoder skips what it does not know, wrong bytes included
            event_type = envelope_decoder.decode(request.body).type.removeprefix(PREFIX)
            handler = _HANDLERS.get(event_type)
            if handler is None:
                return [_unhandled(event_type)]
            return handler(ZendeskTicket(event_decoder.decode(request.body), self._instance, request.received_at))
        except msgspec.ValidationError as error:
            return [Refused("malformed_payload", str(error))]
        except UnicodeDecodeError as error:
            return [Refused("not_utf8", str(error))]
        except (msgspec.DecodeError, RecursionError) as error:
            return [Refused("not_json", str(error))]


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
    opening = ticket.message(author, public=detail.is_public is not False, text=detail.description)
    status = word(detail.status)
    if status in {None, "new", "open"}:
        return [opening]
    return [opening, ticket.status(status, event_id=f"{ticket.event.id}:status")]


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
        ticket.message(
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
    text = message.get("body")
    author = Author(kind, id_text(actor.get("id")))  # type: ignore[arg-type]  # one of four words
    automated = "trigger" if kind == "system" else None
    text = text if isinstance(text, str) else None
    return [ticket.message(author, public=True, text=text, automated=automated, said_channel="chat")]


def _status_changed(ticket: ZendeskTicket) -> Reading:
    return [ticket.status(word(ticket.change.current) or word(ticket.detail.status))]


def _undeleted(ticket: ZendeskTicket) -> Reading:
    return [ticket.status(word(ticket.detail.status) or "open")]


def _priority_changed(ticket: ZendeskTicket) -> Reading:
    priority = word(ticket.change.current) or word(ticket.detail.priority)
    if priority is None:
        return [Ignored("without_effect")]
    return [ticket.interaction(type="priority_changed", priority=priority)]


def _agent_assigned(ticket: ZendeskTicket) -> Reading:
    return [ticket.interaction(type="assigned", agent=id_text(ticket.change.current))]


def _group_assigned(ticket: ZendeskTicket) -> Reading:
    return [ticket.interaction(type="assigned", team=id_text(ticket.change.current))]


def _tags_changed(ticket: ZendeskTicket) -> Reading:
    return [ticket.interaction(type="tagged")]


def _organization_changed(ticket: ZendeskTicket) -> Reading:
    return [ticket.interaction(type="account_changed")]


def _merged(ticket: ZendeskTicket) -> Reading:
    target = id_text(ticket.change.target_ticket_id)
    if target is None:
        return [Refused("malformed_payload", "Object missing the surviving ticket - at `$.event.target_ticket_id`")]
    return [ticket.interaction(type="merged", into=ticket.conversation(target))]


def _spam(ticket: ZendeskTicket) -> Reading:
    return [ticket.interaction(type="status_changed", status="spam", source_status="spam")]


def _deleted(ticket: ZendeskTicket) -> Reading:
    return [ticket.interaction(type="status_changed", status="deleted", source_status="deleted")]


def _made_private(ticket: ZendeskTicket) -> Reading:
    return [ticket.interaction(type="edited", visibility="internal", **_comment_reference(ticket))]


def _redacted(ticket: ZendeskTicket) -> Reading:
    return [ticket.interaction(type="edited", **_comment_reference(ticket))]


def _comment_reference(ticket: ZendeskTicket) -> dict[str, str]:
    comment = id_text((ticket.change.comment or {}).get("id"))
    return {"raw_reference": f"zendesk:comment:{comment}"} if comment else {}


def _csat_received(ticket: ZendeskTicket) -> Reading:
    said = ticket.change.satisfaction_score
    about = said if isinstance(said, dict) else {"score": ticket.change.current if said is None else said}
    score, comment = about.get("score"), about.get("comment")
    text = comment if isinstance(comment, str) else None
    rating = RATINGS.get(word(score) or "")
    if rating is not None:
        return [ticket.rating(rating, 1.0, text)]
    stars = _number(score)
    if stars is None or not 0 <= stars <= STARS:
        return [Refused("not_understood", f"the satisfaction score {str(score)[:40]!r} is not known")]
    return [ticket.rating(stars, STARS, text)]


def _number(value: object) -> float | None:
    try:
        return float(value) if isinstance(value, str | int | float) else None
    except ValueError:
        return None


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
    "ticket.requester_changed": _organization_changed,
    "ticket.merged": _merged,
    "ticket.marked_as_spam": _spam,
    "ticket.soft_deleted": _deleted,
    "ticket.permanently_deleted": _deleted,
    "ticket.comment_made_private": _made_private,
    "ticket.comment_redacted": _redacted,
    "ticket.csat_received": _csat_received,
}

ZENDESK = ConnectorKind(
    id="zendesk",
    title="Zendesk event webhooks",
    normaliser=ZendeskEvents,
    verifier=lambda instance: ZendeskSignature(instance.secrets),
    setup=(
        "Admin Center > Apps and integrations > Webhooks > Create webhook > Zendesk events:\n"
        "subscribe to the ticket events, endpoint https://<your host>/in/zendesk,\n"
        "format JSON, method POST; then copy its signing secret."
    ),
)
