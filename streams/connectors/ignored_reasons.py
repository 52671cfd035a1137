"""Why something genuine means nothing here: the codes of `Ignored.reason`, the same in every connector.

They are counted and shown by `careline connect explain`. `docs/connectors.md` shows the same table; the contract tests
hold what connectors say against it.
"""

IGNORED: dict[str, str] = {
    "author_not_said": "somebody wrote, and nothing says who",
    "command": "a command, button or form of an app: nobody is spoken to",
    "connection": "the provider checks, confirms or keeps the connection itself",
    "conversation_not_said": "nothing says which conversation it belongs to",
    "encrypted": "its content is encrypted for somebody else",
    "ephemeral": "shown to one person for a moment, by an app",
    "events_lost": "the provider says that it has dropped events: they will not come again",
    "honeypot": "a form was filled in by a machine",
    "in_progress": "a step in between: a menu, a leg, a transfer",
    "line_of_the_provider": "a line that the provider itself writes into a conversation",
    "needs_fetch": "it only names what happened; whoever fetches the thing itself can post that here",
    "no_answer": "somebody was asked and has not answered",
    "no_known_question": "a form without a question that is a known measure",
    "nobody_named": "nothing says whose it is",
    "not_delivered": "a message that did not reach anybody",
    "not_sent": "a draft, or something that only will be sent",
    "not_yet": "nothing has happened yet: unfinished, undecided, upcoming",
    "nothing_inside": "an empty list, page or body",
    "other_subject": "about something that is no conversation, no survey and no customer: settings, records, files",
    "own_post": "the company publishes something: it speaks to everybody and answers nobody",
    "participant_changed": "somebody came into a conversation or left it",
    "provider_error": "the provider reports an error of its own",
    "reaction_removed": "a reaction was taken back",
    "receipt": "delivered, seen, opened, clicked: what became of something that we sent",
    "subscription_ends": "the provider's subscription needs to be renewed or is gone",
    "told_elsewhere": "another event tells the same",
    "typing": "somebody is typing",
    "unchanged": "told as a change, and nothing that a person wrote has changed",
    "without_effect": "a documented event that moves no promise",
}
"""What each code means."""
