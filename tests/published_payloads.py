"""What every published payload becomes, in lines that are read by eye: the reviewed text beside the contract tests.

`python -m tests.published_payloads ../shared > tests/contract/published_payloads.txt` writes it anew; look at every
line that changes before committing it.
"""

import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from streams.connectors.accounts_directory import AccountsDirectory
from streams.connectors.connector_contract import Instance
from streams.connectors.connector_registry import BUILT_IN
from streams.connectors.payload_explanation import PayloadExplained, PayloadExplainer
from tests.senders.sender import NOW

KINDS = {kind.id: kind for kind in BUILT_IN}
READERS = {
    "billing/stripe_": "stripe",
    "crm/hubspot_": "hubspot",
    "crm/outreach_": "outreach",
    "discord/": "discord",
    "email/aws_": "ses",
    "email/": "email-imap",
    "livechat/intercom_": "intercom",
    "phone/aircall_": "aircall",
    "phone/aws_connect": "amazon-connect",
    "phone/twilio_": "twilio",
    "phone/vonage_": "vonage",
    "phone/whatsapp_": "whatsapp",
    "slack/": "slack",
    "social/line_": "line",
    "social/whatsapp_": "whatsapp",
    "survey/delighted_": "delighted",
    "survey/typeform_": "typeform",
    "teams/": "teams",
    "ticket/freshdesk_": "freshdesk",
    "ticket/front_": "front",
    "ticket/zendesk_": "zendesk",
    "usage/segment_": "segment",
}
"""By folder and name, the most telling first: which connector reads a file."""

GOLDEN = Path(__file__).parent / "contract" / "published_payloads.txt"


def payload_files(shared: Path) -> dict[str, Path]:
    """Every published payload by its name below the folder."""
    folder = shared / "payloads"
    found = sorted(path for path in folder.rglob("*") if path.is_file() and path.parent != folder)
    return {path.relative_to(folder).as_posix(): path for path in found}


def connector_of(name: str) -> str:
    """The connector that reads a file."""
    return next(connector for begin, connector in READERS.items() if name.startswith(begin))


def explained(connector: str, body: bytes) -> PayloadExplained:
    """What a body becomes without any configuration, as `careline connect explain` says it."""
    explainer = PayloadExplainer(KINDS[connector], Instance(connector, connector), AccountsDirectory())
    return explainer.explain(body, {}, NOW)


def lines_of(told: PayloadExplained) -> Iterator[str]:
    """A line for each event; where there is none, a line with the reason."""
    for event in told.events:
        yield " ".join(_interaction(event) if event["topic"].startswith("careline.interactions") else _signal(event))
    if not told.events:
        refused = (told.rejected or "").partition(":")[0]
        yield f"refused {refused}" if told.rejected else f"ignored {told.ignored}"


def _interaction(event: dict[str, Any]) -> Iterator[str]:
    author = event["author"]
    yield from (event["occurred_at"], event["type"], f"{author['kind']}:{author['id']}", event["visibility"])
    yield from (event["direction"] or "-", event["channel"], event["conversation_id"], event["account_hint"] or "-")
    if event["automated"]:
        yield f"automated={event['automated']}"
    if event["status"]:
        yield f"status={event['status']}"


def _signal(event: dict[str, Any]) -> Iterator[str]:
    yield from (event["occurred_at"], f"signal/{event['kind']}", f"{event['name']}={event.get('value')}")
    yield event.get("account_hint") or "-"


def golden_text(shared: Path) -> str:
    """The whole text: a line for each file, and below it what it becomes."""
    written: list[str] = []
    for name, path in payload_files(shared).items():
        connector = connector_of(name)
        written += [
            f"{name}  {connector}",
            *(f"    {line}" for line in lines_of(explained(connector, path.read_bytes()))),
        ]
    return "\n".join(written) + "\n"


if __name__ == "__main__":
    sys.stdout.write(golden_text(Path(sys.argv[1])))
