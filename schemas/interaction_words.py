"""The closed vocabularies of an interaction: types, statuses, kinds of authors and surveys."""

from typing import Literal

InteractionType = Literal[
    "message",
    "status_changed",
    "assigned",
    "priority_changed",
    "tagged",
    "edited",
    "deleted",
    "reaction",
    "merged",
    "call_started",
    "call_answered",
    "call_ended",
    "survey_response",
    "no_reply_needed",
    "due_set",
    "account_changed",
    "handover",
]

Status = Literal[
    "new",
    "open",
    "waiting_on_customer",
    "waiting_on_third_party",
    "on_hold",
    "resolved",
    "closed",
    "spam",
    "deleted",
]
"""The canonical statuses. A connector maps its provider's own words onto these and keeps the original in
`Interaction.source_status`."""

AuthorKind = Literal["customer", "agent", "bot", "system"]
SurveyKind = Literal["csat", "nps", "ces"]
