"""Mails that say nowhere when they were written: the provider's own time stands for it, as far as it can be."""

from urllib.parse import urlencode

import pytest

from tests.senders.sender import NOW
from tests.unit.test_mail_providers import only

ADA = "ada@acme.example"


@pytest.mark.parametrize(
    ("timestamp", "expected"),
    [
        ("2026-03-02T09:00:00.000Z", "2026-03-02T09:00:00+00:00"),
        ("2036-03-02T09:00:00.000Z", NOW.isoformat()),
        ("1970-01-01T00:00:00.000Z", NOW.isoformat()),
    ],
)
def test_ses_says_when_it_got_a_mail(timestamp: str, expected: str) -> None:
    assert only("ses", {"mail": {"source": ADA, "timestamp": timestamp}})[0].occurred_at.isoformat() == expected


def test_mailgun_says_when_it_posted_a_mail() -> None:
    form = {"from": ADA, "body-plain": "It is broken", "timestamp": "1772442000"}
    assert only("mailgun", urlencode(form).encode())[0].occurred_at.isoformat() == "2026-03-02T09:00:00+00:00"
