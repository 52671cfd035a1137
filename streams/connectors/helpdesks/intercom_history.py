"""A whole Intercom conversation as the API has it, each event with the assignee of its time.

Pure. `streams.backfill` fetches the conversation; `intercom_channel` reads it as it reads what a webhook carries, under
the same ids (those of the parts). The object tells who has it now, and its parts who got it when.
"""

from msgspec.structs import replace

from schemas.interaction import Interaction
from streams.connectors.connector_contract import Draft, Ignored, Instance, Reading, Refused, WebhookRequest
from streams.connectors.helpdesks.intercom_channel import IntercomNotifications


def conversation_history(instance: Instance, request: WebhookRequest) -> Reading:
    """Every event of the conversation or ticket in a body, in the order of its parts."""
    told: list[Draft | Ignored | Refused] = []
    agent: str | None = None
    team: str | None = None
    for reading in IntercomNotifications(instance).normalise(request):
        if not isinstance(reading, Draft) or not isinstance(reading.event, Interaction):
            told.append(reading)
            continue
        event = reading.event
        if event.type == "assigned":
            agent, team = event.agent, event.team or team
        told.append(Draft(replace(event, agent=agent, team=team), reading.identities))
    return told
