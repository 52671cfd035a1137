"""Why something counts as a machine's: the words of `Interaction.automated`, one for each kind of machine.

Whatever its author, what is automated neither asks nor answers. Connectors take their word from here; senders of
canonical events may have words of their own. `docs/connectors.md` shows the same table.
"""

from typing import Literal, get_args

Automated = Literal[
    "ai_answer",
    "answering_machine",
    "auto_generated",
    "auto_reply",
    "bot",
    "bounce",
    "campaign",
    "complaint",
    "crosspost",
    "declared",
    "delivery_notice",
    "mailing_list",
    "receipt",
    "system",
    "template",
    "trigger",
]

MEANINGS: dict[Automated, str] = {
    "ai_answer": "a language model answered in the company's name",
    "answering_machine": "a machine took the call: a voicemail, a fax",
    "auto_generated": "a notice that a program sends by itself",
    "auto_reply": "an answer that a program gives by itself: an absence note, a confirmation",
    "bot": "a chatbot, an app or an integration, on either side",
    "bounce": "a message that could not be delivered",
    "campaign": "sent to many at once: a newsletter, a sequence, an announcement",
    "complaint": "a recipient's provider reports spam",
    "crosspost": "published elsewhere and brought here because somebody follows it",
    "declared": "a sender of canonical events says so and gives no reason",
    "delivery_notice": "news about a delivery that has not failed",
    "mailing_list": "a post to a mailing list of others",
    "receipt": "a confirmation that a mail was opened",
    "system": "the provider itself",
    "template": "a prepared message of the desk's: a greeting, a form, a request for a rating",
    "trigger": "a rule, workflow or automation of the company's desk",
}
"""What each word means. A test holds it against the words above and against the documents."""

AUTOMATED: frozenset[str] = frozenset(get_args(Automated))
"""The words as they can be asked."""
