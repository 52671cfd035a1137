"""What the directory of accounts knows beyond the file: tier, segment, contract and team where the rows are silent.

Pure. `careline import` passes its conversations through here on their way to `streams.history.history_sender`; who an
account is is decided where events enter, agents never join.
"""

from collections.abc import Callable, Iterable, Iterator

from msgspec.structs import replace

from schemas.account_profile import AccountProfile
from schemas.interaction import Interaction

Lookup = Callable[[str], AccountProfile | None]
"""From an account id, or an identity such as `domain:acme.example`, to the profile, if there is one."""


def with_known_accounts(
    conversations: Iterable[tuple[str, list[Interaction]]], lookup: Lookup
) -> Iterator[tuple[str, list[Interaction]]]:
    """The same conversations, every event with what is known of its account.

    The file's own word comes first: it is from the time of the event, the directory is of today.
    """
    profiles: dict[str, AccountProfile | None] = {}
    for conversation, events in conversations:
        yield conversation, [_completed(event, lookup, profiles) for event in events]


def _completed(event: Interaction, lookup: Lookup, profiles: dict[str, AccountProfile | None]) -> Interaction:
    account = event.account_id
    if account is None:
        return event
    if account not in profiles:
        profiles[account] = lookup(account)
    profile = profiles[account]
    if profile is None:
        return event
    return replace(
        event,
        account_id=profile.id,
        account_hint=account if account != profile.id else event.account_hint,
        tier=event.tier or profile.tier,
        segment=event.segment or profile.segment,
        contract=event.contract or profile.contract,
        team=event.team or profile.team,
    )
