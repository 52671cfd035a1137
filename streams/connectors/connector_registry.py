"""Every connector there is: the built-in ones, and those that other packages bring.

A package brings a connector by an entry point of the group `careline.connectors` that names a `ConnectorKind`.
"""

from importlib.metadata import entry_points

from streams.connectors.business.outreach_events import OUTREACH
from streams.connectors.business.salesforce_changes import SALESFORCE
from streams.connectors.business.segment_events import SEGMENT
from streams.connectors.business.stripe_events import STRIPE
from streams.connectors.connector_contract import ConnectorKind
from streams.connectors.helpdesks.chatwoot_channel import CHATWOOT
from streams.connectors.helpdesks.freshdesk_channel import FRESHDESK
from streams.connectors.helpdesks.front_channel import FRONT
from streams.connectors.helpdesks.helpscout_channel import HELPSCOUT
from streams.connectors.helpdesks.hubspot_channel import HUBSPOT
from streams.connectors.helpdesks.intercom_channel import INTERCOM
from streams.connectors.helpdesks.zammad_channel import ZAMMAD
from streams.connectors.helpdesks.zendesk_channel import ZENDESK
from streams.connectors.mail.email_messages import EMAIL_IMAP, EMAIL_SMTP
from streams.connectors.mail.mailgun_route import MAILGUN
from streams.connectors.mail.postmark_inbound import POSTMARK
from streams.connectors.mail.sendgrid_parse import SENDGRID
from streams.connectors.mail.ses_mail import SES
from streams.connectors.messengers.discord_channel import DISCORD
from streams.connectors.messengers.slack_channel import SLACK
from streams.connectors.messengers.teams_channel import TEAMS
from streams.connectors.own_words.chat_channel import CHAT
from streams.connectors.own_words.cloudevents_http import CLOUDEVENTS
from streams.connectors.own_words.form_channel import FORM
from streams.connectors.own_words.webhook_generic import WEBHOOK
from streams.connectors.phone.aircall_channel import AIRCALL
from streams.connectors.phone.amazon_connect_channel import AMAZON_CONNECT
from streams.connectors.phone.twilio_channel import TWILIO
from streams.connectors.phone.vonage_channel import VONAGE
from streams.connectors.social.line_channel import LINE
from streams.connectors.social.meta_channels import INSTAGRAM, MESSENGER
from streams.connectors.social.whatsapp_channel import WHATSAPP
from streams.connectors.surveys.delighted_responses import DELIGHTED
from streams.connectors.surveys.surveymonkey_responses import SURVEYMONKEY
from streams.connectors.surveys.typeform_responses import TYPEFORM

BUILT_IN: tuple[ConnectorKind, ...] = (
    CHATWOOT,
    FRESHDESK,
    FRONT,
    HELPSCOUT,
    HUBSPOT,
    INTERCOM,
    ZAMMAD,
    ZENDESK,
    EMAIL_IMAP,
    EMAIL_SMTP,
    MAILGUN,
    POSTMARK,
    SENDGRID,
    SES,
    DISCORD,
    SLACK,
    TEAMS,
    AIRCALL,
    AMAZON_CONNECT,
    TWILIO,
    VONAGE,
    LINE,
    MESSENGER,
    INSTAGRAM,
    WHATSAPP,
    DELIGHTED,
    SURVEYMONKEY,
    TYPEFORM,
    OUTREACH,
    SALESFORCE,
    SEGMENT,
    STRIPE,
    CHAT,
    CLOUDEVENTS,
    FORM,
    WEBHOOK,
)

ENTRY_POINTS = "careline.connectors"


def known_connectors() -> dict[str, ConnectorKind]:
    """Connectors by id. A built-in one cannot be replaced from outside: its id means the same everywhere.

    Raises:
        TypeError: an entry point names something else than a `ConnectorKind`.
    """
    found: dict[str, ConnectorKind] = {}
    for point in entry_points(group=ENTRY_POINTS):
        kind = point.load()
        if not isinstance(kind, ConnectorKind):
            raise TypeError(f"the entry point {point.name} of {ENTRY_POINTS} is no ConnectorKind")
        found[kind.id] = kind
    return found | {kind.id: kind for kind in BUILT_IN}
