"""What can happen to a promise: the words in which metrics are defined, as bits that can hold together.

`agents.domain.conversation` finds out what an event means in these words; `agents.domain.clock_rules` says which of
them start, satisfy and cancel each clock.
"""

Occurrences = int
"""A set of the bits below."""

NOTHING: Occurrences = 0
CREATED: Occurrences = 1 << 0
"""The first event of the conversation, of any kind."""
ASKED_FIRST: Occurrences = 1 << 1
"""A person at the customer wrote publicly and thereby opened the conversation."""
ASKED_AGAIN: Occurrences = 1 << 2
"""A person at the customer wrote publicly after we had answered or begun."""
ANSWERED: Occurrences = 1 << 3
"""A person of ours wrote publicly: no note, no bot, nothing automated."""
NO_REPLY_NEEDED: Occurrences = 1 << 4
RESOLVED: Occurrences = 1 << 5
"""The status is resolved or closed now."""
REOPENED: Occurrences = 1 << 6
"""It was resolved or closed, and is not any more."""
TEAM_LEFT: Occurrences = 1 << 7
"""The team that had the conversation has it no more."""
TEAM_ENTERED: Occurrences = 1 << 8
"""A team has the conversation from now on."""
CALL_STARTED: Occurrences = 1 << 9
"""Somebody calls us; a call of ours is none."""
CALL_ANSWERED: Occurrences = 1 << 10
"""Somebody of ours, and no machine, took the call."""
CALL_ENDED: Occurrences = 1 << 11
DISSATISFIED: Occurrences = 1 << 12
"""An answer to a survey in its lower half."""
CONTACTED: Occurrences = 1 << 13
"""A person of ours wrote publicly or spoke with the customer."""
UPDATED: Occurrences = 1 << 14
"""Answered while it is not resolved, so that the customer is owed the next update."""
GIVEN_BACK: Occurrences = 1 << 15
"""The team gets back what it gave away within the last day."""

OF_A_SURVEY = "careline:survey"
"""The type of a conversation that is known by the answer to a survey alone (`agents.domain.feedback_loops`): nobody has
asked for anything that could be resolved, so CREATED starts no clock in it."""
