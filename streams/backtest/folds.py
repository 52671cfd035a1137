"""Which rows are learnt from together: folds that are the same in every run and in every order of the rows.

All rows of an account are in one fold, or what was learnt from last month's row would be asked about this month's. The
folds have about equally many accounts that have left. `calibration` and `weight_fit` learn by them.
"""

from collections.abc import Sequence
from hashlib import blake2b

MOST_FOLDS = 5


def folds_of(accounts: Sequence[str], left: Sequence[bool]) -> list[int] | None:
    """The fold of each row, counted from 0; null where there are too few accounts of either kind for two folds.

    Args:
        accounts: of each row.
        left: whether the account of each row has left, by that row.
    """
    has_left: dict[str, bool] = {}
    for account, is_gone in zip(accounts, left, strict=True):
        has_left[account] = has_left.get(account, False) or is_gone
    gone = sorted((account for account, is_gone in has_left.items() if is_gone), key=_shuffled)
    stayed = sorted((account for account, is_gone in has_left.items() if not is_gone), key=_shuffled)
    count = min(MOST_FOLDS, len(gone), len(stayed))
    if count < 2:
        return None
    fold = {account: place % count for group in (gone, stayed) for place, account in enumerate(group)}
    return [fold[account] for account in accounts]


def _shuffled(account: str) -> bytes:
    """A place in an order that has nothing to do with the account's name, and is always the same."""
    return blake2b(account.encode(errors="surrogatepass"), digest_size=8).digest()
