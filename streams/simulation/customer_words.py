"""What customers of a simulated company write about: themes, and the words of each, put together anew every time.

Themes share their words, so that a theme is never told by one of them alone; those of an outage are themes that exist
on quiet days too. `company_life` asks for them.
"""

from random import Random

Theme = tuple[tuple[str, ...], tuple[str, ...]]
"""What it is about, and what is wrong with it: every combination makes sense."""

THEMES: dict[str, Theme] = {
    "sign-in": (
        ("signing in", "the login page", "our single sign-on", "the sign-in with a code"),
        ("is refused for one of us", "asks for the password twice", "fails after the update", "loops back"),
    ),
    "invoices": (
        ("the invoice of this month", "our last bill", "the invoice as a PDF", "the statement"),
        ("shows an old address", "lacks our order number", "is higher than agreed", "has not come"),
    ),
    "reports": (
        ("the weekly report", "our dashboard", "the chart of sales", "the report for the board"),
        ("shows figures of last week", "stays empty", "differs from the export", "is slow to load"),
    ),
    "exports": (
        ("the export", "a CSV of all orders", "the nightly export", "downloading the list"),
        ("stops half way", "has broken accents", "is missing a column", "takes too long"),
    ),
    "interface": (
        ("your API", "the webhook", "our integration", "the token of the interface"),
        ("answers with error 500 at times", "is slow today", "rejects a field", "reached the limit"),
    ),
    "people": (
        ("a new colleague", "our administrator", "the invited guest", "somebody who has left us"),
        ("cannot be added", "needs other rights", "got no invitation", "should be removed"),
    ),
    "mobile": (
        ("the app on my phone", "the Android app", "the tablet", "the app after the update"),
        ("closes by itself", "does not refresh", "asks to sign in again", "shows old figures"),
    ),
    "imports": (
        ("the import of our contacts", "an upload", "the spreadsheet", "the file of our supplier"),
        ("is refused", "doubles some rows", "stops at the accents", "needs another format"),
    ),
    "contract": (
        ("our plan", "the renewal", "the number of seats", "the offer"),
        ("should be changed", "is not what we have ordered", "ends too early", "is unclear to us"),
    ),
    "notices": (
        ("the mail with the notices", "a reminder", "the daily summary", "the alert"),
        ("lands in the spam folder", "comes twice", "does not arrive", "has the wrong language"),
    ),
}

OUTAGES: dict[str, Theme] = {
    "sign-in": (
        ("signing in", "the login page", "our single sign-on", "getting in"),
        ("fails for all of us", "says service unavailable", "is down since this morning", "gives error 503"),
    ),
    "exports": (
        ("the export", "every export", "downloading the list", "the nightly export"),
        ("hangs for everybody", "ends with a timeout", "says queue is full", "has been stuck for hours"),
    ),
    "interface": (
        ("your API", "the webhook", "every call to the interface", "our integration"),
        ("answers 502 bad gateway", "is down", "times out for all of us", "says bad gateway"),
    ),
    "reports": (
        ("the dashboard", "every report", "the report page", "our dashboard"),
        ("says data source offline", "is down for all of us", "shows data source offline", "does not open at all"),
    ),
}

OPENINGS = ("Hello,", "Good morning,", "Hi all,", "Dear support,", "Quick question:", "Once more:", "", "")
CLOSINGS = ("Could you have a look?", "What can we do?", "Thank you!", "It is rather urgent.", "Please advise.", "", "")
ASIDES = 0.2
"""Share of messages that bring up a second matter."""


def question(rng: Random, theme: str) -> str:
    """What somebody writes about an everyday theme."""
    text = f"{rng.choice(OPENINGS)} {_matter(rng, THEMES[theme])}"
    if rng.random() < ASIDES:
        text += f" Also, {_matter(rng, THEMES[rng.choice(tuple(THEMES))])}"
    return f"{text} {rng.choice(CLOSINGS)}".strip()


def outcry(rng: Random, theme: str) -> str:
    """What somebody writes when that is down."""
    return f"{rng.choice(OPENINGS)} {_matter(rng, OUTAGES[theme])} {rng.choice(CLOSINGS)}".strip()


def _matter(rng: Random, theme: Theme) -> str:
    subjects, troubles = theme
    return f"{rng.choice(subjects)} {rng.choice(troubles)}."
