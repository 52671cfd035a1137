"""Quoted history, signatures and devices, in the languages of the large mail programs; and what must stay."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from streams.connectors.mail.written_text import LONGEST_TEXT, written_text

HISTORIES = [
    "On Monday, 2 March 2026 at 10:00, Ada <ada@acme.example> wrote:\n> old",
    "On Mon, Mar 2, 2026 at 10:00 AM Ada Lovelace of Acme <\nada@acme.example> wrote:\n\n> old",
    "Am 02.03.2026 um 10:00 schrieb Ada <ada@acme.example>:\n> alt",
    "Le lun. 2 mars 2026 à 10:00, Ada <ada@acme.example> a écrit :\n> vieux",
    "El lun, 2 mar 2026 a las 10:00, Ada (<ada@acme.example>) escribió:\n> viejo",
    "Il giorno lun 2 mar 2026 alle ore 10:00 Ada <ada@acme.example> ha scritto:\n> vecchio",
    "Op ma 2 mrt 2026 om 10:00 schreef Ada <ada@acme.example>:\n> oud",
    "Em seg., 2 de mar. de 2026 às 10:00, Ada <ada@acme.example> escreveu:\n> velho",
    "pon., 2 mar 2026 o 10:00 Ada <ada@acme.example> napisał(a):\n> stare",
    "Den mån 2 mars 2026 kl 10:00 skrev Ada <ada@acme.example>:\n> gammal",
    "пн, 2 мар. 2026 г. в 10:00, Ada <ada@acme.example>:\n> старое",  # noqa: RUF001 - Cyrillic is meant
    "2026年3月2日(月) 10:00 Ada <ada@acme.example>:\n> 古い",
    "Ada <ada@acme.example> 于2026年3月2日周一 10:00写道:\n> 旧",
    "-----Original Message-----\nFrom: Ada\nSent: Monday\nTo: help\n\nold",
    "________________________________\nFrom: Ada <ada@acme.example>\nSent: Monday\nTo: help\nSubject: x\n\nold",
    "Von: Ada <ada@acme.example>\nGesendet: Montag, 2. März 2026 10:00\nAn: help\nBetreff: x\n\nalt",
    "De : Ada <ada@acme.example>\nEnvoyé : lundi 2 mars 2026\nÀ : help\nObjet : x\n\nvieux",
    "-- \nAda Lovelace\nAcme",
    "Sent from my iPhone",
    "Von meinem iPhone gesendet",
]


@pytest.mark.parametrize("history", HISTORIES)
def test_history_and_signatures_are_taken_off(history: str) -> None:
    assert written_text(f"It is broken.\n\nPlease help\n\n{history}\n") == "It is broken.\n\nPlease help"


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        ("> When?\nTomorrow.\n> Where?\nHere.", "Tomorrow.\nHere."),
        ("Hello,\nOn Monday A wrote:\n> When?\nTomorrow.", "Hello,\nTomorrow."),
        (
            "On Monday I wrote to you: nothing came.\nPlease help.",
            "On Monday I wrote to you: nothing came.\nPlease help.",
        ),
        ("From: the beginning\nit was broken", "From: the beginning\nit was broken"),
        (
            "---------- Forwarded message ----------\nFrom: A\nDate: x\n\nold",
            "---------- Forwarded message ----------\nFrom: A\nDate: x\n\nold",
        ),
        ("> all of it\n> is quoted", "> all of it\n> is quoted"),
        ("one -- two", "one -- two"),
        ("", ""),
    ],
)
def test_what_was_written_stays(body: str, expected: str) -> None:
    assert written_text(body) == expected


@given(
    st.lists(
        st.sampled_from(["> x", "On a <b@c.d> wrote:", "From: x", "Sent: y", "-- ", "___", "", "hello", "Am schrieb"])
    )
)
def test_whatever_the_text_something_of_it_stays(lines: list[str]) -> None:
    body = "\n".join(lines)
    kept = written_text(body)
    assert bool(kept) == bool(body.strip())
    assert all(line in body for line in kept.split("\n"))


@pytest.mark.parametrize(
    "piece", ["On a\n", "wrote ", "> ", "From: x\n", "8" * 990 + "\n", "schrieb " * 120 + "\n", "<a@b>:"]
)
def test_long_texts_take_no_time(piece: str) -> None:
    assert len(written_text(piece * (200_000 // len(piece)))) <= LONGEST_TEXT
