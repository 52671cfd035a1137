"""Raw mail (ids `email-imap`, `email-smtp`): messages of RFC 5322, fetched from a mailbox or handed over by a server.

Nothing comes in by HTTP here. `mail_reading` takes the message apart, `mail_draft` says what it means.
"""

from dataclasses import replace

from streams.connectors.connector_contract import ConnectorKind, Instance, Reading, Refused, WebhookRequest
from streams.connectors.mail.mail_authenticity import SERVER, SERVER_MEANING, vouched_for
from streams.connectors.mail.mail_draft import MailDrafter
from streams.connectors.mail.mail_reading import read_message


class RawMessages:
    """Reads one raw message; `request.received_at` is when the mailbox or our server got it."""

    def __init__(self, instance: Instance) -> None:
        self._instance = instance
        self._drafter = MailDrafter(instance)

    def normalise(self, request: WebhookRequest) -> Reading:
        """The message as one interaction."""
        mail = read_message(request.body)
        if isinstance(mail, Refused):
            return [mail]
        return [self._drafter.draft(replace(mail, vouched_for=vouched_for(mail.fields, self._instance)), request)]


EMAIL_IMAP = ConnectorKind(
    id="email-imap",
    title="A mailbox, read by IMAP",
    normaliser=RawMessages,
    verifier=None,
    options={SERVER: SERVER_MEANING},
    setup=(
        "List your own domains under own_domains: in connectors.yaml; mail from them is written by agents.\n"
        "Let the mailbox hold both directions (or copy what you send into it), so that answers are seen."
    ),
)

EMAIL_SMTP = ConnectorKind(
    id="email-smtp",
    title="Mail handed over by SMTP or LMTP",
    normaliser=RawMessages,
    verifier=None,
    options={SERVER: SERVER_MEANING},
    setup=(
        "Let your mail server send a copy of every mail from and to your support addresses here (always_bcc, a\n"
        "journal rule), and list your own domains under own_domains: in connectors.yaml."
    ),
)
