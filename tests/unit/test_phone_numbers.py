"""Telephone numbers as they are written, in the one form that is compared."""

import pytest

from streams.connectors.phone_numbers import caller_of, e164, person_of, phone_identities, text_thread


@pytest.mark.parametrize(
    ("written", "expected"),
    [
        ("+14155550100", "+14155550100"),
        ("14155550100", "+14155550100"),
        ("0014155550100", "+14155550100"),
        ("+1 (415) 555-0100", "+14155550100"),
        ("+44 (0)20 7946 0958", "+442079460958"),
        ("whatsapp:+14155550100", "+14155550100"),
        ("tel:+1-415-555-0100", "+14155550100"),
        ("02079460958", None),  # of which country?
        ("12345", None),  # a short code
        ("Careline", None),
        ("+266696687", None),  # "anonymous" on a telephone's keys
        ("client:alice", None),
        ("+" + "1" * 16, None),
        ("\u0661\u0662\u0663\u0664\u0665\u0666\u0667\u0668", None),
        ("", None),
        (None, None),
    ],
)
def test_one_form(written: str | None, expected: str | None) -> None:
    assert e164(written) == expected
    assert phone_identities(written) == ((f"phone:{expected}",) if expected else ())


def test_who_has_no_number_is_called_as_written() -> None:
    assert (person_of(" Careline "), person_of("whatsapp:US.1"), person_of("  "), person_of(None)) == (
        "Careline",
        "US.1",
        None,
        None,
    )


def test_who_hides_the_number_is_not_one_person() -> None:
    hidden = ("anonymous", "Restricted", "+266696687", "  ", None)
    assert [caller_of(written) for written in hidden] == [None] * len(hidden)
    assert (caller_of("+1 415 555 0100"), caller_of("Careline")) == ("+14155550100", "Careline")


def test_a_thread_has_its_channel_and_both_ends() -> None:
    assert text_thread("sms", "+1800", "+1415") == "sms:+1800:+1415"
    assert text_thread("sms", None, "+1415") == "sms:+1415"
