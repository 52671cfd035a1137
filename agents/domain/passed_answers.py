"""An answer to a survey that came as an event of its conversation becomes a signal of the account.

Satisfaction belongs to the account, the follow-up to the conversation; an import and a company's own events tell both
as one interaction, `survey_response`. The conversation starts its clock (`agents.domain.conversation`) and has the
account told, through the log, under an id that follows from the interaction's: so a repeated delivery tells nothing
again and a correction takes the place of what it corrects. `agents.conversation_agent` publishes what is made here,
`agents.domain.account` has it next. The way from a signal to a conversation is `agents.domain.feedback_loops`.
"""

from schemas.conversation_state import ConversationState
from schemas.interaction import Interaction
from schemas.signal import Signal


def told_account(state: ConversationState, interaction: Interaction) -> Signal | None:
    """What a conversation tells its account of an event; null for all but answers that somebody outside has told.

    What was passed on (`via`) has been told by whoever passed it on: a merged conversation, or the account itself.
    """
    if interaction.type != "survey_response" or interaction.score is None or interaction.via:
        return None
    return Signal(
        id=f"answer/{state.id}/{interaction.id}",
        source=interaction.source,
        account_id=state.account_id,
        occurred_at=interaction.occurred_at,
        kind="survey",
        name=interaction.kind or "csat",
        value=interaction.score,
        scale=interaction.scale,
        clock=state.clock,
        received_at=interaction.received_at,
        conversation_id=state.id,
        account_hint=interaction.account_hint,
        tier=state.tier,
        segment=state.segment,
        raw_reference=interaction.raw_reference,
        version=interaction.version,
        via=state.id,
        channel=state.channel,
        team=state.team,
        agent=state.agent,
    )
