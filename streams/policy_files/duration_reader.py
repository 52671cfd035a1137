"""How much time is allowed: `90s`, `30m`, `2h`, `1h30m`, `2d`, `3 business_days`.

Hours and days are open time of whatever calendar the clock runs in (`2d` is 48 open hours); business days are a unit of
their own. Used for targets and warnings by `target_reader` and `policy_reader`.
"""

import re

from schemas.policy import Duration, WarningThreshold
from streams.policy_files.fields import word_of
from streams.policy_files.located_yaml import Node, Text
from streams.policy_files.problem import Problems

SECONDS_OF = {"d": 86_400, "h": 3_600, "m": 60, "s": 1}
LONGEST_DAYS = 3_650
"""Ten years: whoever promises more has mistyped a unit."""

_OPEN_TIME = re.compile(r"(?:(\d+)d)?(?:(\d+)h)?(?:(\d+)m)?(?:(\d+)s)?", re.ASCII)
_BUSINESS_DAYS = re.compile(r"(\d+) +business_days?", re.ASCII)
_THRESHOLDS = "write a share of the target such as 75%, or open time left such as 30m"
_SHARE = re.compile(r"(\d+(?:\.\d+)?)%", re.ASCII)
_LOOSE_PART = re.compile(r"(\d+(?:\.\d+)?)\s*([a-z_]*)", re.ASCII)
_LOOSE_UNITS = {
    "s": 1, "sec": 1, "secs": 1, "second": 1, "seconds": 1,
    "": 60, "m": 60, "min": 60, "mins": 60, "minute": 60, "minutes": 60,
    "h": 3_600, "hr": 3_600, "hrs": 3_600, "hour": 3_600, "hours": 3_600,
    "d": 86_400, "day": 86_400, "days": 86_400, "w": 604_800, "week": 604_800, "weeks": 604_800,
}  # fmt: skip


def duration_of(node: Node, what: str, problems: Problems) -> Duration | None:
    """A target."""
    word = word_of(node, what, problems)
    if word is None:
        return None
    days = _BUSINESS_DAYS.fullmatch(word.text)
    if days is not None:
        count = int(days[1])
        return (
            Duration(business_days=count, text=word.text) if _believable(word, count * 86_400, what, problems) else None
        )
    seconds = seconds_of(word, what, problems)
    return None if seconds is None else Duration(seconds=seconds, text=word.text)


def seconds_of(word: Text, what: str, problems: Problems) -> int | None:
    """Open time, in seconds."""
    match = _OPEN_TIME.fullmatch(word.text)
    if match is None or not any(match.groups()):
        problems.error(word.place, f"{what}: {word.text!r} is not a duration", _suggested(word.text))
        return None
    parts = zip(match.groups(), SECONDS_OF.values(), strict=True)
    seconds = sum(int(count) * unit for count, unit in parts if count is not None)
    return seconds if _believable(word, seconds, what, problems) else None


def warning_of(node: Node, problems: Problems) -> WarningThreshold | None:
    """When to warn: a share of the target used (`75%`) or open time left (`30m`)."""
    word = word_of(node, "warn_at", problems)
    if word is None:
        return None
    share = _SHARE.fullmatch(word.text)
    if share is None and (word.text.isdecimal() or _BUSINESS_DAYS.fullmatch(word.text)):
        problems.error(word.place, f"warn_at: {word.text!r} is neither a share nor open time left", _THRESHOLDS)
        return None
    if share is None:
        seconds = seconds_of(word, "warn_at", problems)
        return None if seconds is None else WarningThreshold(left_seconds=seconds, text=word.text)
    ratio = float(share[1]) / 100
    if not 0 < ratio <= 1:
        problems.error(
            word.place, f"warn_at: {word.text!r} of the target is impossible", "a share lies above 0% up to 100%"
        )
        return None
    return WarningThreshold(used_ratio=ratio, text=word.text)


def _believable(word: Text, seconds: int, what: str, problems: Problems) -> bool:
    if seconds > LONGEST_DAYS * 86_400:
        problems.error(word.place, f"{what}: {word.text!r} is longer than ten years", "is the unit right?")
        return False
    return True


def _suggested(text: str) -> str:
    """What somebody most likely meant who wrote `1.5h`, `30 min`, `2 weeks`, `30m1h` or just a number."""
    lowered = text.strip().lower()
    if "business" in lowered and (digits := re.search(r"\d+", lowered)):
        return f"write {digits[0]} business_days"
    parts = _LOOSE_PART.findall(lowered)
    if not parts or _LOOSE_PART.sub("", lowered).strip(" ,") or any(unit not in _LOOSE_UNITS for _, unit in parts):
        return "write it as 90s, 30m, 2h, 1h30m, 2d or 3 business_days"
    seconds = round(sum(float(count) * _LOOSE_UNITS[unit] for count, unit in parts))
    written = ""
    for unit, size in SECONDS_OF.items():
        count, seconds = divmod(seconds, size)
        written += f"{count}{unit}" if count else ""
    return f"did you mean {written or '0s'}?"
