"""`careline accounts import | show | link`: the directory that says whose an event is (`forget` has its own file).

Exit status 0: done · 1: Kafka is absent or does not take it, or there is no such account · 2: the file or the command
line is wrong, and nothing was changed. The work is done in `streams.connectors.accounts_topic`.
"""

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, TypeVar

import typer

from streams.cli.admin_options import WRONG_USE, JsonOption, KafkaOption, say, say_table, settings_of, stop, tell

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from schemas.account_profile import AccountProfile
    from streams.connectors.accounts_topic import AccountLink, AccountsWriter
    from streams.settings import Settings

Answer = TypeVar("Answer")

accounts_app = typer.Typer(
    name="accounts", help="Who the customers are, and by which identities they are known.", no_args_is_help=True
)


@accounts_app.command("import")
def import_accounts(
    context: typer.Context,
    file: Annotated[Path, typer.Argument(metavar="FILE", help="CSV with a header, or one JSON object per line.")],
    move_identities: Annotated[
        bool, typer.Option("--move-identities", help="Take identities away from accounts that have them now.")
    ] = False,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Say what would change, and change nothing.")] = False,
    kafka: KafkaOption = None,
    as_json: JsonOption = False,
) -> None:
    """Put accounts into the directory: every connector knows them from then on.

    Columns: id, name, tier, segment, contract, owner, team, parent, identities (several with blanks between them), and
    identity:KIND for one identity of a kind, such as identity:domain. Accounts that are not in the file stay.

    What was counted under a provisional account (domain:acme.example) before its company became known is moved to it.
    A parent is told of its children's health, where the health profile aggregates them.

    Example: careline accounts import accounts.csv --dry-run
    """
    from streams.connectors.accounts_topic import (
        changed_families,
        changed_profiles,
        claimed_elsewhere,
        counted_accounts,
        links_that_follow,
    )

    settings = settings_of(context, kafka)
    profiles = _read(file)
    known = known_accounts(settings)
    taken = list(claimed_elsewhere(profiles, known))
    if taken and not move_identities:
        for identity, owner, claimer in taken:
            tell(f"{file}: {identity} belongs to {owner!r} now, and {claimer!r} claims it", style="red")
        raise stop("nothing was changed; with --move-identities they change hands", WRONG_USE)
    _refuse_circles(file, known | {profile.id: profile for profile in profiles})
    changed = changed_profiles(profiles, known)
    losers = _without(taken, known)
    links = links_that_follow(profiles, asked(lambda: counted_accounts(settings.kafka, settings.topic_prefix)))
    if not dry_run:
        _write(settings, [*losers, *changed], links, changed_families(changed, known))
    told = {
        "accounts": len(profiles),
        "new": sum(profile.id not in known for profile in changed),
        "changed": sum(profile.id in known for profile in changed) + len(losers),
        "linked": [{"account_id": link.account_id, "into": link.into} for link in links],
        "dry_run": dry_run,
    }
    if as_json:
        print(json.dumps(told, ensure_ascii=False))
        return
    done = "would be" if dry_run else "are"
    say(f"{told['accounts']} accounts read; {told['new']} {done} new, {told['changed']} {done} changed")
    for link in links:
        say(f"{link.account_id} {'would become' if dry_run else 'is now'} {link.into}")


@accounts_app.command("show")
def show(
    context: typer.Context,
    whom: Annotated[
        str | None,
        typer.Argument(metavar="[ID]", help="An account, an identity (domain:acme.example) or a mail address."),
    ] = None,
    kafka: KafkaOption = None,
    as_json: JsonOption = False,
) -> None:
    """Show the accounts of the directory, or the one that an id, an identity or an address leads to.

    Example: careline accounts show joe@acme.example
    """
    from streams.connectors.accounts_directory import AccountsDirectory, identities_of_address

    known = known_accounts(settings_of(context, kafka))
    if whom is None:
        _list(list(known.values()), as_json=as_json)
        return
    identities = identities_of_address(whom) if "@" in whom and ":" not in whom else (whom,)
    found = known.get(whom) or AccountsDirectory(known.values()).find(identities).profile
    if found is None:
        raise stop(f"no account is known by {whom!r}; careline accounts show lists them all")
    _list([found], as_json=as_json)


@accounts_app.command("link")
def link(
    context: typer.Context,
    account_id: Annotated[
        str, typer.Argument(metavar="PROVISIONAL", help="The account that is no account of its own.")
    ],
    into: Annotated[str, typer.Argument(metavar="ACCOUNT", help="The account that it turned out to be.")],
    kafka: KafkaOption = None,
) -> None:
    """Move what was counted for one account to another, as if it had always belonged there.

    `careline accounts import` does so by itself where an identity says it; this is for what only people know.

    Example: careline accounts link contact:42 acme
    """
    from streams.connectors.accounts_topic import AccountLink

    if account_id == into:
        raise stop(f"{account_id!r} is {into!r} already", WRONG_USE)
    settings = settings_of(context, kafka)
    if into not in known_accounts(settings):
        raise stop(f"{into!r} is not in the directory; careline accounts import puts it there", WRONG_USE)
    _write(settings, [], [AccountLink(account_id, into)])
    say(f"{account_id} is now {into}")


def _read(file: Path) -> "list[AccountProfile]":
    from streams.connectors.accounts_list import read_accounts_list
    from streams.policy_files.problem import Problems

    problems = Problems(str(file))
    profiles = read_accounts_list(file, problems)
    for problem in problems.errors:
        tell(problem.as_line(), style="red")
    if problems.errors:
        raise stop("nothing was changed", WRONG_USE)
    return profiles


def known_accounts(settings: "Settings") -> "dict[str, AccountProfile]":
    """The directory, by id; the end of the program where Kafka does not tell it."""
    from streams.connectors.accounts_topic import known_profiles

    return asked(lambda: known_profiles(settings.kafka, settings.topic_prefix))


def asked(question: "Callable[[], Answer]") -> "Answer":
    """The answer of Kafka to a question, or the end of the program with what is wrong."""
    from streams.kafka_admin import KafkaUnavailable
    from streams.topic_reader import TopicAbsent

    try:
        return question()
    except (KafkaUnavailable, TopicAbsent) as error:
        raise stop(f"careline accounts: {error}") from None


def _refuse_circles(file: Path, profiles: "dict[str, AccountProfile]") -> None:
    from streams.connectors.accounts_topic import circle_of_parents

    circle = circle_of_parents(profiles)
    if circle:
        belongings = ", which belongs to ".join(repr(each) for each in [*circle, circle[0]])
        tell(f"{file}: the parents make a circle: {belongings}", style="red")
        raise stop("nothing was changed; take one of these parents out", WRONG_USE)


def _without(taken: "Iterable[tuple[str, str, str]]", known: "dict[str, AccountProfile]") -> "list[AccountProfile]":
    from msgspec.structs import replace

    from streams.connectors.accounts_directory import tidy

    left = {owner: known[owner] for _, owner, _ in taken}
    for identity, owner, _ in taken:
        kept = tuple(each for each in left[owner].identities if tidy(each) != tidy(identity))
        left[owner] = replace(left[owner], identities=kept)
    return list(left.values())


def _write(
    settings: "Settings",
    profiles: "Sequence[AccountProfile]",
    links: "Sequence[AccountLink]",
    relatives: "Sequence[AccountProfile]" = (),
) -> None:
    def write(writer: "AccountsWriter") -> None:
        # Before the directory has them: if this is cut short, they are told again the next time.
        for relative in relatives:
            writer.tell_parent(relative)
        writer.flush()
        for profile in profiles:
            writer.put(profile)
        # The directory first: what comes in from here on carries the right account already.
        writer.flush()
        for each in links:
            writer.link(each)

    written(settings, write)


def written(settings: "Settings", write: "Callable[[AccountsWriter], None]") -> None:
    """Have something written into Kafka, or end the program with what is wrong."""
    from kafka.errors import KafkaError

    from streams.connectors.accounts_topic import accounts_writer
    from streams.kafka_refusal import refusal_in

    try:
        with accounts_writer(settings.kafka, settings.topic_prefix, datetime.now(UTC)) as writer:
            write(writer)
    except (KafkaError, OSError) as error:
        refused = refusal_in(error, settings.kafka)
        if refused is not None:
            raise refused from None
        raise stop(f"careline accounts: Kafka at {settings.kafka} did not take everything: {error}") from None


def _list(profiles: "Sequence[AccountProfile]", *, as_json: bool) -> None:
    import msgspec

    if as_json:
        for profile in profiles:
            print(msgspec.json.encode(profile).decode())
        return
    if not profiles:
        say("the directory is empty; careline accounts import fills it")
        return
    rows = [
        [each.id, each.name or "", each.tier or "", each.segment or "", each.owner or "", " ".join(each.identities)]
        for each in sorted(profiles, key=lambda profile: profile.id)
    ]
    say_table(["id", "name", "tier", "segment", "owner", "identities"], rows)
