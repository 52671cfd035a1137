"""`connectors.yaml`: what runs, and every mistake with its place. No secret stands in it or in a message about it."""

from pathlib import Path

import pytest

from streams.connectors.connector_registry import BUILT_IN, known_connectors
from streams.connectors.connectors_file import ConnectorsMistake, only_webhook, read_connectors
from tests.connect_bench import SENDERS
from tests.senders.own_words_senders import NEW_SECRET, OLD_SECRET

VARIABLES = {
    "ZENDESK": "zendesk secret",
    "OLD": OLD_SECRET,
    "NEW": NEW_SECRET,
    "EMPTY": "",
    "BROKEN": "whsec_%%%",
    "SHORT": "whsec_c2hvcnQ=",
}


def write(folder: Path, text: str) -> Path:
    path = folder / "connectors.yaml"
    path.write_text(text)
    return path


def test_a_whole_file(tmp_path: Path) -> None:
    (tmp_path / "secret").write_text(f"{NEW_SECRET}\n")
    (tmp_path / "accounts.yaml").write_text(
        "accounts:\n  acme: {name: Acme, tier: gold, identities: [domain:acme.example]}\n"
    )
    path = write(
        tmp_path,
        """
own_domains: [Ours.example]
accounts: accounts.yaml
connectors:
  zendesk: {secrets: [ZENDESK]}
  shop:
    connector: webhook
    secrets: [OLD, {file: secret}]
    clock: simulation:7
    channel: chat
    settle: 1m30s
""",
    )
    setup = read_connectors(path, VARIABLES, known_connectors())
    assert sorted(setup.routes) == ["shop", "zendesk"]
    shop = setup.routes["shop"].instance
    assert (shop.connector, shop.clock, shop.channel, shop.secrets) == (
        "webhook",
        "simulation:7",
        "chat",
        (OLD_SECRET, NEW_SECRET),
    )
    assert (shop.settle_seconds, setup.routes["zendesk"].instance.settle_seconds) == (90, None)
    assert shop.own_domains == {"ours.example"}
    (acme,) = setup.accounts
    assert (acme.id, acme.tier, acme.identities) == ("acme", "gold", ("domain:acme.example",))
    assert NEW_SECRET not in repr(setup)
    assert "zendesk secret" not in repr(setup)


@pytest.mark.parametrize(
    ("text", "place", "words"),
    [
        ("connectors: {zendesk: {secret: [ZENDESK]}}", (1, 24), ["unknown key 'secret'", "secrets"]),
        ("connectors: {zendesk: {secrets: [ZENDESK], settle: soon}}", (1, 52), ["'soon' is not a duration"]),
        ("connectors: {zendesk: {secrets: [ZENDESK], settle: 2h}}", (1, 52), ["2h is too long", "at most 1h"]),
        ("connectors: {zendeks: {secrets: [ZENDESK]}}", (1, 14), ["no connector 'zendeks'", "zendesk"]),
        ("connectors:\n  zendesk: {secrets: [MISSING]}", (2, 23), ["MISSING is not set"]),
        ("connectors:\n  zendesk: {secrets: [EMPTY]}", (2, 23), ["EMPTY is not set"]),
        ("connectors:\n  zendesk: {secrets: [{file: gone}]}", (2, 30), ["gone cannot be read"]),
        ("connectors:\n  webhook: {secrets: [BROKEN]}", (2, 3), ["is not 'whsec_' followed by base64"]),
        ("connectors:\n  webhook: {secrets: [SHORT]}", (2, 3), ["has 5 bytes; 24 are the least"]),
        ("connectors:\n  webhook:", (2, 3), ["a secret is missing"]),
        ("connectors:\n  zendesk: {secrets: [ZENDESK], clock: noon}", (2, 40), ["'noon' is no clock"]),
        ("connectors:\n  In/Zendesk: {connector: zendesk, secrets: [ZENDESK]}", (2, 3), ["no name for a route"]),
        ("connectors:\n  zendesk: {secrets: [ZENDESK]}\n  zendesk: {secrets: [ZENDESK]}", (3, 3), ["occurs twice"]),
        ("connectors: [zendesk]", (1, 13), ["must be a table"]),
        ("own_domains: [ours.example]", (1, 1), ["no connector is configured"]),
        ("- zendesk", (1, 1), ["must be a table"]),
    ],
)
def test_mistakes_have_their_place(tmp_path: Path, text: str, place: tuple[int, int], words: list[str]) -> None:
    with pytest.raises(ConnectorsMistake) as caught:
        read_connectors(write(tmp_path, text), VARIABLES, known_connectors())
    (problem,) = caught.value.problems
    assert (problem.line, problem.column) == place
    told = problem.as_line()
    assert all(word in told for word in words), told


def test_all_mistakes_are_told_at_once(tmp_path: Path) -> None:
    (tmp_path / "accounts.yaml").write_text("accounts:\n  acme: {identities: [acme.example]}\n")
    text = "accounts: accounts.yaml\nconnectors:\n  zendesk: {secrets: [MISSING]}\n  webhook: {secret: [NEW]}"
    with pytest.raises(ConnectorsMistake) as caught:
        read_connectors(write(tmp_path, text), VARIABLES, known_connectors())
    assert [Path(problem.file).name for problem in caught.value.problems] == [
        "connectors.yaml",
        "connectors.yaml",
        "accounts.yaml",
    ]


def test_a_secret_in_the_file_is_an_error_that_does_not_repeat_it(tmp_path: Path) -> None:
    with pytest.raises(ConnectorsMistake) as caught:
        read_connectors(
            write(tmp_path, f"connectors: {{webhook: {{secrets: [{NEW_SECRET}]}}}}"), {}, known_connectors()
        )
    assert NEW_SECRET not in str(caught.value)
    assert "secrets do not belong into this file" in str(caught.value)


def test_the_example_is_right(project_root: Path) -> None:
    names = ("ZENDESK_SIGNING_SECRET", "CRM_SECRET", "CRM_SECRET_BEFORE", "PLATFORM_TOKEN")
    path = project_root / "examples" / "connectors" / "connectors.yaml"
    setup = read_connectors(path, dict.fromkeys(names, NEW_SECRET), known_connectors())
    assert sorted(setup.routes) == ["crm", "platform", "zendesk"]
    assert [account.id for account in setup.accounts] == ["acme", "globex"]


def test_every_connector_that_hears_http_has_a_sender_in_the_behaviour_suite() -> None:
    senders = {sender.kind or sender.connector for sender in SENDERS.values()}
    assert senders == {kind.id for kind in BUILT_IN if kind.verifier is not None}


def test_without_a_file_there_is_the_generic_webhook() -> None:
    setup = only_webhook(f"{OLD_SECRET} {NEW_SECRET}", known_connectors())
    assert setup.routes["webhook"].instance.secrets == (OLD_SECRET, NEW_SECRET)
    with pytest.raises(ConnectorsMistake, match="openssl rand"):
        only_webhook("hallo!", known_connectors())
