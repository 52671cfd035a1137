"""Raw mail (ids `email-imap`, `email-smtp`): messages of RFC 5322, fetched from a mailbox or handed over by a server.

Nothing comes in by HTTP here: `imap_puller` fetches, `smtp_listener` receives. `mail_reading` takes the message apart,
`mail_draft` says what it means.
"""

from dataclasses import replace

from streams.connectors.connector_contract import ConnectorKind, Instance, Reading, Refused, WebhookRequest
from streams.connectors.mail import imap_login, smtp_listener
from streams.connectors.mail.imap_puller import WHOLE_SIZE, ImapPuller
from streams.connectors.mail.mail_authenticity import SERVER, SERVER_MEANING, vouched_for
from streams.connectors.mail.mail_draft import MailDrafter
from streams.connectors.mail.mail_reading import Mail, attachment, read_message
from streams.connectors.mail.smtp_listener import SmtpListener


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
        mail = replace(mail, vouched_for=vouched_for(mail.fields, self._instance))
        return [self._drafter.draft(_as_fetched(mail, request), request)]


def _as_fetched(mail: Mail, request: WebhookRequest) -> Mail:
    """A mail of which only the header was fetched says so: the whole of it is an attachment that nobody has read."""
    size = request.headers.get(WHOLE_SIZE)
    if size is None or not size.isdigit():
        return mail
    return replace(mail, body="", attachments=(attachment("too large to be read", "message/rfc822", int(size)),))


EMAIL_IMAP = ConnectorKind(
    id="email-imap",
    title="A mailbox, read by IMAP",
    normaliser=RawMessages,
    verifier=None,
    puller=ImapPuller,
    options=imap_login.OPTIONS | {SERVER: SERVER_MEANING},
    setup=(
        "Give host: and user:, and the password under secrets: (an app password where the provider has them; where it\n"
        "wants OAuth 2.0, a file with the access token under token_file:). Name under mailbox: the inbox and where\n"
        "the mails are that you send (INBOX, Sent), so that answers are seen, and list your domains under own_domains:."
    ),
)

EMAIL_SMTP = ConnectorKind(
    id="email-smtp",
    title="Mail handed over by SMTP or LMTP",
    normaliser=RawMessages,
    verifier=None,
    listener=SmtpListener,
    options=smtp_listener.OPTIONS | {SERVER: SERVER_MEANING},
    setup=(
        "Let your mail server send a copy of every mail from and to your support addresses to the address under\n"
        "listen: (Postfix: always_bcc or recipient_bcc_maps and sender_bcc_maps to careline@careline.invalid, and in\n"
        "transport_maps careline.invalid smtp:[127.0.0.1]:2525), and list your own domains under own_domains:.\n"
        "While Kafka is away your server hears 451 and keeps the mail. It should take no larger mails than we do."
    ),
)
