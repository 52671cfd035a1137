"""Issues on one clock, from beginning to end: who wrote goes in, what was opened, has grown or is over comes out.

The detectors (`topic_surge`, `silent_accounts`) say that something begins; here it becomes an issue with an id of its
own, an owner, and an end. A theme that rises again later is known again by its telling words, so it keeps its id.
Everything is a function of the steps so far and the rules; `agents.issue_agent` brings the steps in the order of the
log and publishes what comes out.

Time is moved by what customers write, and for surges by ticks as well. Silence is only ever noticed while others
write: where nobody does, the source is silent, and not a customer.
"""

from collections.abc import Mapping, Sequence
from hashlib import blake2b
from typing import Literal, NamedTuple

from msgspec.structs import replace

from agents.domain.care_contribution import score_of
from agents.domain.instant import DAY_US, MINUTE_US, Instant, to_datetime
from agents.domain.issue_rules import IssueRules, owner_of
from agents.domain.silent_accounts import Silence, SilentAccounts
from agents.domain.surge_members import name_left
from agents.domain.topic_surge import LONGEST_US, SurgeNews, TopicSurges
from schemas.issue import Issue, IssueStatus
from schemas.issue_state import CustomerMessage, SurgeState
from schemas.watch_state import Forgot, KnownTheme, OpenIssue, Passed, Step, WatchState, Wrote

TOO_LATE_US = DAY_US
"""What is told later than this is no news: surges are measured over a day."""
REMEMBERED_MESSAGES = 20_000
MOST_THEMES = 500
MOST_ACCOUNTS_TOLD = 100
WORTH_TELLING = 2.0
"""An issue is told again when it has this many times the accounts, or the growth, that were told last."""
_NOBODY = "\0~"
"""Before what stands for an account that is forgotten. It is counted, and never told."""
_SAME_THEME = 0.5
"""Share of the lighter theme's weight that two have in common."""

Verdict = Literal["applied", "duplicate", "late"]


class Uncounted(NamedTuple):
    """A message that waited to be counted and was dropped instead, and why."""

    message: CustomerMessage
    because: str


class TopicDelta(NamedTuple):
    """Something that counts in the figures of a topic, at an instant."""

    theme_id: str
    at: Instant
    measure: str
    amount: int = 1


class Taken(NamedTuple):
    """What became of a step, what is to be told, and which of the messages before it could not be counted."""

    verdict: Verdict
    told: list[Issue]
    uncounted: Sequence[Uncounted] = ()
    counted: Sequence[TopicDelta] = ()
    """What it adds to the figures of topics."""


class IssueWatch:
    """Watches one clock. Not shared between threads.

    Args:
        clock: its name, which is in what is told.
        state: where an earlier watch stopped; it is changed in place, and is all there is to remember.
        rules: in force.
        uncountable: messages that are dropped when their turn to be counted comes, by id, and why.
    """

    def __init__(
        self, clock: str, state: WatchState, rules: IssueRules, uncountable: Mapping[str, str] | None = None
    ) -> None:
        self.state = state
        self._uncountable = {} if uncountable is None else uncountable
        self._counted: list[TopicDelta] = []
        self._clock = clock
        self._rules = rules
        self._surges = TopicSurges(state.surges, rules.sensitivity)
        self._silences = SilentAccounts(state.silences)

    def take(self, step: Step) -> Taken:
        """Apply a step.

        Raises:
            UncountableMessageError: a message that waited cannot be counted, and is not known as such. The state may be
                half changed.
        """
        self._counted = []
        return self._taken(step)._replace(counted=self._counted)

    def _taken(self, step: Step) -> Taken:
        if isinstance(step, Forgot):
            for account in step.accounts:
                self._forget(account)
            return Taken("applied", self._forget_names())
        if isinstance(step, Passed):
            uncounted = self._drop_uncountable(step.to)
            return Taken("applied", self._pass_time(step.to), uncounted)
        return self._wrote(step)

    def _wrote(self, step: Wrote) -> Taken:
        state = self.state
        if _digest(step.id) in state.seen:
            return Taken("duplicate", [])
        if state.now is not None and step.at < state.now - TOO_LATE_US:
            return Taken("late", [])
        at = step.at if state.now is None else max(state.now, step.at)
        uncounted = self._drop_uncountable(at)
        self._remember(step)
        told = self._pass_time(at)
        if step.words is not None:
            message = CustomerMessage(
                id=step.id,
                at=at,
                account=step.account,
                words=step.words,
                offset=step.offset,
                sentiment=step.sentiment,
            )
            self._surges.take(message)
        looked_at_hour = state.silences.looked_at_hour
        silences = self._silences.heard(step.account, at)
        told += self._end_silence(step.account, at)
        if looked_at_hour != state.silences.looked_at_hour:
            told += self._end_of_long_ago(at)
        return Taken("applied", told + [self._fell_silent(silence) for silence in silences], uncounted)

    def _remember(self, step: Wrote) -> None:
        seen = self.state.seen
        seen[_digest(step.id)] = step.at
        oldest = step.at - 2 * TOO_LATE_US
        while len(seen) > REMEMBERED_MESSAGES or next(iter(seen.values())) < oldest:
            del seen[next(iter(seen))]

    def _drop_uncountable(self, at: Instant) -> list[Uncounted]:
        """Drop what waits and cannot be counted, and its ids with it, if time passes so that its turn comes."""
        surges = self.state.surges
        if not self._uncountable or (surges.now is not None and at <= surges.now):
            return []
        dropped = [
            Uncounted(each, self._uncountable[each.id]) for each in surges.pending if each.id in self._uncountable
        ]
        surges.pending = [each for each in surges.pending if each.id not in self._uncountable]
        for each in dropped:
            self.state.seen.pop(_digest(each.message.id), None)
        return dropped

    def _pass_time(self, at: Instant) -> list[Issue]:
        state = self.state
        if state.now is not None and at <= state.now:
            return []
        state.now = at
        told = []
        for news in self._surges.pass_time(at):
            if news.kind == "ended":
                self._count_joined(news.surge)
            told.append(self._surge_moved(news, at))
        for surge in state.surges.surges:
            self._count_joined(surge)
        return told + [self._tell(state.open[surge.id], "updated", at, surge) for surge in self._grown()]

    def wake_at(self) -> Instant | None:
        """When time should pass next although nobody writes, on a full minute; null for never."""
        surges = self.state.surges
        rest_us = self._rules.rest_us
        ends = [min(surge.confirmed_at + rest_us, surge.raised_at + LONGEST_US) for surge in surges.surges]
        if surges.pending and surges.now is not None:
            ends.append(surges.now)
        return None if not ends else (min(ends) // MINUTE_US + 1) * MINUTE_US

    # surges

    def _surge_moved(self, news: SurgeNews, at: Instant) -> Issue:
        surge = news.surge
        if news.kind == "ended":
            ended = self.state.open.pop(surge.id)
            self._count_issue("issues_closed", ended.theme_id, at)
            return self._tell(ended, "closed", at, surge)
        theme = self._theme_of(surge)
        self._count_issue("issues_opened", theme.id, surge.raised_at)
        opened = self.state.open[surge.id] = OpenIssue(
            issue_id=f"surge-{_digest(self._clock, surge.id)}",
            kind="issue_surge",
            name=surge.topic,
            opened_at=surge.raised_at,
            began_at=surge.began_at,
            owner=owner_of(self._rules, "issue_surge", surge.weights),
            theme_id=theme.id,
            times=theme.times,
        )
        return self._tell(opened, "opened", surge.raised_at, surge)

    def _count_joined(self, surge: SurgeState) -> None:
        """Count the messages that have joined a surge for its topic, each once for a topic however often it rises."""
        known, messages = self.state.open.get(surge.id), self.state.surges.messages
        theme_id = None if known is None else known.theme_id
        for number, is_new_account in surge.joined if theme_id is not None else ():
            message = messages.get(number)
            if message is None:  # more came at that instant than are remembered
                continue
            if is_new_account:
                self._count_issue("issue_accounts", theme_id, message.at)
            if theme_id not in message.themes:
                messages[number] = replace(message, themes=(*message.themes, theme_id))
                self._count_issue("mentions", theme_id, message.at)
                if message.sentiment is not None:
                    self._count_issue("sentiment", theme_id, message.at)
                    self._count_issue("sentiment_score", theme_id, message.at, score_of(message.sentiment))
        surge.joined.clear()

    def _count_issue(self, measure: str, theme_id: str | None, at: Instant, amount: int = 1) -> None:
        if theme_id is not None:
            self._counted.append(TopicDelta(theme_id, at, measure, amount))

    def _theme_of(self, surge: SurgeState) -> KnownTheme:
        """The theme that a surge is of, known from before or new."""
        themes = self.state.themes
        likeness, place = max(
            ((_in_common(theme.weights, surge.weights), place) for place, theme in enumerate(themes)),
            default=(0.0, -1),
        )
        if likeness >= _SAME_THEME:
            theme = themes.pop(place)
            theme.times += 1
            theme.weights, theme.risen_at = dict(surge.weights), surge.raised_at
        else:
            digest = _digest(self._clock, surge.id)
            theme = KnownTheme(id=f"theme-{digest}", weights=dict(surge.weights), risen_at=surge.raised_at)
        themes.append(theme)
        del themes[:-MOST_THEMES]
        return theme

    def _grown(self) -> list[SurgeState]:
        """Open surges of which so much more is known than was told that it is worth telling."""
        return [
            surge
            for surge in self.state.surges.surges
            if (known := self.state.open.get(surge.id)) is not None
            and (
                len(surge.accounts) >= WORTH_TELLING * known.told_accounts
                or surge.growth >= WORTH_TELLING * known.told_growth
            )
        ]

    # silence

    def _fell_silent(self, silence: Silence) -> Issue:
        opened = self.state.open[_silence_of(silence.account)] = OpenIssue(
            issue_id=f"silence-{_digest(self._clock, silence.account, str(silence.last_at))}",
            kind="issue_silence",
            name=f"{silence.account} is silent",
            opened_at=silence.at,
            began_at=silence.last_at,
            owner=owner_of(self._rules, "issue_silence"),
            account=silence.account,
            missing=silence.missing,
        )
        return self._tell(opened, "opened", silence.at)

    def _end_silence(self, account: str, at: Instant) -> list[Issue]:
        ended = self.state.open.pop(_silence_of(account), None)
        return [] if ended is None else [self._tell(ended, "closed", at)]

    def _end_of_long_ago(self, at: Instant) -> list[Issue]:
        """Silences of accounts that are not watched any more: nobody waits for them to write."""
        watched = self.state.silences.accounts
        gone = [each.account for each in self.state.open.values() if each.account and each.account not in watched]
        return [issue for account in gone for issue in self._end_silence(account, at)]

    # telling

    def _tell(self, known: OpenIssue, status: IssueStatus, at: Instant, surge: SurgeState | None = None) -> Issue:
        known.told += 1
        if surge is not None:
            known.told_growth, known.told_accounts = surge.growth, len(surge.accounts)
        return Issue(
            id=f"{known.issue_id}/{known.told}",
            issue_id=known.issue_id,
            kind=known.kind,
            status=status,
            name=known.name,
            opened_at=to_datetime(known.opened_at),
            as_of=to_datetime(at),
            began_at=to_datetime(known.began_at),
            topic_id=known.theme_id,
            times=known.times,
            growth=None if surge is None else round(surge.growth, 2),
            missing=None if known.missing is None else round(known.missing, 1),
            account_id=known.account,
            accounts=() if surge is None else tuple(_known(surge.accounts)[:MOST_ACCOUNTS_TOLD]),
            account_count=1 if surge is None else len(surge.accounts),
            messages=() if surge is None else tuple(filter(None, surge.message_ids)),
            owner=known.owner,
            closed_at=to_datetime(at) if status == "closed" else None,
            clock=self._clock,
        )

    # forgetting

    def _forget(self, account: str) -> None:
        """Leave nothing that names an account, nor its words as it wrote them; they go on counting, as somebody's."""
        state, nobody = self.state, f"{_NOBODY}{_digest(account)}"
        state.silences.accounts.pop(account, None)
        state.open.pop(_silence_of(account), None)
        surges = state.surges
        gone = {message.id for message in surges.messages.values() if message.account == account}
        gone |= {message.id for message in surges.pending if message.account == account}
        for number, message in surges.messages.items():
            if message.account == account:
                surges.messages[number] = replace(message, id="", account=nobody, words=[])
        surges.pending = [
            replace(message, id="", account=nobody, words=()) if message.account == account else message
            for message in surges.pending
        ]
        for mark in surges.marks.values():
            mark.accounts = [nobody if each == account else each for each in mark.accounts]
        for surge in surges.surges:
            surge.accounts = [nobody if each == account else each for each in surge.accounts]
            surge.message_ids = [each for each in surge.message_ids if each not in gone]

    def _forget_names(self) -> list[Issue]:
        """Take out of names what nobody who is left wrote; a surge of which nobody is left goes altogether."""
        state, told = self.state, []
        for surge in list(state.surges.surges):
            known = state.open.get(surge.id)
            if not _known(surge.accounts):
                state.surges.surges.remove(surge)
                state.open.pop(surge.id, None)
                if known is not None and state.now is not None:
                    self._count_issue("issues_closed", known.theme_id, state.now)
                state.themes[:] = [each for each in state.themes if known is None or each.id != known.theme_id]
                continue
            surge.topic = name_left(state.surges, surge, _is_nobody)
            if known is not None and known.name != surge.topic and state.now is not None:
                known.name = surge.topic
                told.append(self._tell(known, "updated", state.now, surge))
        return told


def _is_nobody(account: str) -> bool:
    return account.startswith(_NOBODY)


def _known(accounts: list[str]) -> list[str]:
    return [each for each in accounts if not _is_nobody(each)]


def _silence_of(account: str) -> str:
    return f"\0{account}"


def _digest(*parts: str) -> str:
    return blake2b("\n".join(parts).encode("utf-8", "surrogatepass"), digest_size=8).hexdigest()


def _in_common(one: dict[str, float], other: dict[str, float]) -> float:
    shared = sum(min(weight, other[mark]) for mark, weight in one.items() if mark in other)
    lighter = min(sum(one.values()), sum(other.values()))
    return shared / lighter if lighter > 0 else 0.0
