"""Streams of made-up support messages, with or without an issue in them, for the surge detector.

Messages are put together from phrases, so that hardly two are alike and themes share their words (`invoice` is in three
of them). Accounts differ in size, hours and weekdays in volume. Nothing of the detector was tuned on these.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from random import Random

from agents.domain.instant import DAY_US, HOUR_US, Instant
from schemas.issue_state import CustomerMessage

MONDAY: Instant = 20_514 * DAY_US
"""2026-03-02."""
HOURLY = (2, 1, 1, 1, 1, 2, 4, 8, 14, 18, 20, 19, 17, 18, 19, 18, 16, 14, 12, 10, 8, 6, 4, 3)

# Subject and trouble of each theme: every combination makes sense.
THEMES: dict[str, tuple[tuple[str, ...], tuple[str, ...]]] = {
    "password": (
        ("my password", "the reset link", "the password mail", "the reset form"),
        ("does not work", "never arrives", "has expired", "is rejected", "says invalid"),
    ),
    "invoice": (
        ("the invoice of last month", "our latest invoice", "the PDF of the bill", "the billing statement"),
        ("shows the wrong amount", "is missing a line", "has our old address", "lacks the tax number", "is not there"),
    ),
    "payment": (
        ("our card payment", "the direct debit", "the bank transfer for the invoice", "a payment"),
        ("was declined", "has been charged twice", "is still pending", "does not show", "failed"),
    ),
    "export": (
        ("the CSV export", "the nightly export", "exporting the report", "a download of all contacts"),
        ("stops half way", "is empty", "times out", "has broken umlauts", "takes an hour"),
    ),
    "dashboard": (
        ("the dashboard", "the sales chart", "the weekly report", "the figures page"),
        ("shows old numbers", "stays blank", "does not refresh", "disagrees with the export", "loads slowly"),
    ),
    "api": (
        ("your API", "the REST endpoint", "the webhook", "our integration token"),
        ("returns error 500", "answers too slowly", "hits the rate limit", "rejects the signature", "times out"),
    ),
    "mobile": (
        ("the Android app", "the iPhone app", "the mobile version", "the tablet app"),
        ("crashes on start", "drains the battery", "does not sync", "forgets the settings", "shows no notifications"),
    ),
    "users": (
        ("a new colleague", "our administrator", "the invited teammate", "a guest user"),
        ("has no permission", "got no invitation", "cannot be added", "sees the wrong workspace", "needs another role"),
    ),
    "delivery": (
        ("our parcel", "the replacement device", "the order of last week", "the shipment"),
        ("is delayed", "got lost", "arrived damaged", "went to the old address", "has no tracking number"),
    ),
    "contract": (
        ("our contract", "the renewal offer", "the subscription", "the annual plan"),
        (
            "ends too early",
            "lists the wrong seats",
            "should be upgraded",
            "must be cancelled",
            "costs more than agreed",
        ),
    ),
    "calendar": (
        ("the calendar", "a meeting invitation", "the appointment page", "the room booking"),
        ("is an hour off", "shows the wrong time zone", "does not send reminders", "double books", "loses entries"),
    ),
    "search": (
        ("the search", "filtering by tag", "the advanced filter", "looking up a customer"),
        ("finds nothing", "ignores umlauts", "returns duplicates", "is very slow", "misses new records"),
    ),
    "upload": (
        ("uploading a picture", "the attachment", "the file import", "our spreadsheet upload"),
        ("fails at 99 percent", "is too large", "changes the format", "is blocked by the virus scanner", "hangs"),
    ),
    "email": (
        ("outgoing mail", "our newsletter", "the confirmation mail", "the signature in mails"),
        ("lands in spam", "bounces", "has the wrong sender", "is not delivered", "looks broken"),
    ),
    "printer": (
        ("the label printer", "printing a receipt", "the print preview", "the barcode label"),
        ("cuts off the margin", "prints blank pages", "uses the wrong paper", "is not found", "jams"),
    ),
    "training": (
        ("the onboarding course", "the training video", "the certificate", "the webinar"),
        ("does not play", "has no subtitles", "should be repeated", "was cancelled", "lacks the slides"),
    ),
}
NOVEL: dict[str, tuple[tuple[str, ...], tuple[str, ...]]] = {
    "two-factor": (
        ("the authenticator code", "two-factor login", "the SMS code", "the second factor"),
        ("is never accepted", "locks everyone out", "does not come", "keeps looping", "is wrong since the update"),
    ),
    "certificate": (
        ("the browser", "your site", "the portal", "every page"),
        ("warns about an expired certificate", "says the TLS certificate is invalid", "shows a certificate warning"),
    ),
    "maps": (
        ("the map view", "the route planner", "geocoding", "the location pin"),
        ("shows grey tiles", "puts us in the ocean", "says quota exceeded", "is all grey"),
    ),
}
OPENERS = (
    "Hello,",
    "Hi team,",
    "Good morning,",
    "Dear support,",
    "Since today",
    "Again:",
    "Question:",
    "Urgent:",
    "",
    "",
)
CLOSERS = (
    "Can you help?",
    "Please have a look.",
    "What should we do?",
    "Our customers are waiting.",
    "This blocks our whole team.",
    "We tried another browser.",
    "Thanks in advance!",
    "See https://example.com/t/4711 for a screenshot.",
    "",
    "",
)


@dataclass(frozen=True, slots=True)
class Story:
    """A stream, and what was planted in it; `began_at` null where nothing was."""

    messages: list[CustomerMessage]
    theme: str | None = None
    began_at: Instant | None = None
    planted_accounts: frozenset[str] = frozenset()
    words: frozenset[str] = frozenset()
    """Stems of the planted theme are among those of these words."""


def message_text(rng: Random, theme: str) -> str:
    """One message about a theme; every fifth brings up a second one."""
    subjects, troubles = (THEMES | NOVEL)[theme]
    text = f"{rng.choice(OPENERS)} {rng.choice(subjects)} {rng.choice(troubles)}."
    if rng.random() < 0.2:
        subjects, troubles = THEMES[rng.choice(sorted(THEMES))]
        text += f" Also, {rng.choice(subjects)} {rng.choice(troubles)}."
    return f"{text} {rng.choice(CLOSERS)}".strip()


def message_times(rng: Random, days: int, per_day: float) -> Iterator[Instant]:
    """Times of messages: by day and at night, on workdays and at weekends."""
    for hour in range(24 * days):
        weekday = (MONDAY // DAY_US + hour // 24 + 3) % 7
        mean = per_day * HOURLY[hour % 24] / sum(HOURLY) * (1.0 if weekday < 5 else 0.3)
        for _ in range(max(0, round(rng.gauss(mean, mean**0.5)))):
            yield MONDAY + hour * HOUR_US + rng.randrange(HOUR_US)


def quiet_story(seed: int, days: int = 30, per_day: float = 1000, accounts: int = 300) -> Story:
    """A month in which nothing happens, but busy days do."""
    rng = Random(seed)
    names = [f"account-{number}" for number in range(accounts)]
    sizes = [rng.lognormvariate(0, 1) for _ in names]
    popular = [rng.lognormvariate(0, 0.7) for _ in THEMES]
    messages = []
    for number, at in enumerate(message_times(rng, days, per_day)):
        theme = rng.choices(sorted(THEMES), popular)[0]
        account = rng.choices(names, sizes)[0]
        messages.append(CustomerMessage(id=f"m{number}", at=at, account=account, text=message_text(rng, theme)))
    return Story(sorted(messages, key=lambda message: (message.at, message.id)))


def story_with_issue(
    seed: int, *, is_novel: bool, per_hour: float = 15, hours: float = 4, days: int = 14, per_day: float = 1000
) -> Story:
    """As `quiet_story`, and on one of the last days a theme rises for some hours, from many accounts."""
    quiet = quiet_story(seed, days, per_day)
    rng = Random(f"issue {seed}")
    theme = rng.choice(sorted(NOVEL if is_novel else THEMES))
    began_at = MONDAY + rng.randrange(days // 2, days - 1) * DAY_US + rng.randrange(8 * HOUR_US, 17 * HOUR_US)
    planted = [
        CustomerMessage(
            id=f"p{number}",
            at=began_at + rng.randrange(round(hours * HOUR_US)),
            account=f"account-{rng.randrange(300)}",
            text=message_text(rng, theme),
        )
        for number in range(round(per_hour * hours))
    ]
    messages = sorted([*quiet.messages, *planted], key=lambda message: (message.at, message.id))
    subjects, troubles = (THEMES | NOVEL)[theme]
    words = frozenset(" ".join((*subjects, *troubles)).lower().split())
    return Story(messages, theme, began_at, frozenset(message.account for message in planted), words)
