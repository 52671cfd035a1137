"""The scores of all accounts of a file, of children before those of their parents, as they would be live.

`careline health run` and `careline health explain` ask here. Who closes a circle of parents is found as live, by
`agents.domain.children`; a parent without a row of its own is scored as well, after all others.
"""

from collections import defaultdict
from collections.abc import Mapping, Sequence

from agents.domain.children import Child, ends_circle
from agents.domain.health_story import standing
from agents.domain.health_verdict import Account, HealthBook, Verdict, ordered
from agents.domain.instant import Instant
from agents.domain.normalisation import MILLION
from agents.domain.signal_reading import Observation

Known = Mapping[str, tuple[Account, dict[str, list[Observation]]]]
"""Accounts by id, each with what was observed of it; `parent` is among its fields where it has one."""

REVENUE = "mrr"


class FamilyScores:
    """Scores accounts at an instant, each once."""

    def __init__(self, book: HealthBook, known: Known, now: Instant) -> None:
        self._book = book
        self._now = now
        self.known: dict[str, tuple[Account, dict[str, list[Observation]]]] = dict(known)
        self._parents = {
            name: parent for name, (account, _) in known.items() if (parent := account.fields.get("parent"))
        }
        self._children: defaultdict[str, list[str]] = defaultdict(list)
        for child, parent in self._parents.items():
            self._children[parent].append(child)
            self.known.setdefault(parent, (Account(parent, {"account": parent}), {}))
        self._verdicts: dict[str, Verdict] = {}

    def aggregates(self, account_id: str) -> bool:
        """Whether the score of an account is made of those of its children."""
        scorer = self._book.scorer_for(self.known[account_id][0])
        return scorer is not None and scorer.profile.children is not None and account_id in self._children

    def verdict(self, account_id: str) -> Verdict:
        """How an account is."""
        waiting = [account_id]
        while waiting:
            name = waiting[-1]
            missing = [child for child in self._made_of(name) if child not in self._verdicts]
            if missing and name not in self._verdicts:
                waiting += missing
                continue
            waiting.pop()
            if name not in self._verdicts:
                self._verdicts[name] = self._judged(name)
        return self._verdicts[account_id]

    def _judged(self, account_id: str) -> Verdict:
        account, observed = self.known[account_id]
        if not self.aggregates(account_id):
            return standing(self._book, account, observed, self._now)
        made_of = self._made_of(account_id)
        children = [
            Child(child, self._verdicts[child].score, _revenue(self.known[child][1], self._now))
            if child in made_of
            else Child(child, None, counts=False)
            for child in self._children[account_id]
        ]
        return self._book.judge(account, ordered(observed), self._now, children=children)

    def _made_of(self, account_id: str) -> Sequence[str]:
        """The children whose scores are needed for that of an account."""
        if not self.aggregates(account_id):
            return ()
        return [child for child in self._children[account_id] if not ends_circle(child, self._above(child))]

    def _above(self, account_id: str) -> list[str]:
        above: list[str] = []
        seen: set[str] = set()
        parent = self._parents.get(account_id)
        while parent is not None and parent not in seen:
            seen.add(parent)
            above.append(parent)
            parent = self._parents.get(parent)
        return above


def _revenue(observed: Mapping[str, Sequence[Observation]], now: Instant) -> int | None:
    """The newest monthly revenue that is known by now, in hundredths."""
    told = max((each for each in observed.get(REVENUE, ()) if each.at <= now), key=lambda each: each.at, default=None)
    return told.value * 100 // MILLION if told is not None and isinstance(told.value, int) else None
