"""Sentiment and language by rules: orders that hold in every language, reasons, and no failure whatever the text."""

from unicodedata import normalize

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agents.domain.message_language import language_of
from agents.domain.rule_sentiment import RuleSentiment

SCORER = RuleSentiment()


def score(text: str, language: str | None = None) -> float:
    found = SCORER.score(text, language).score
    assert found is not None
    return found


def test_accents_that_are_characters_of_their_own_change_nothing() -> None:
    text = "Le réglage a été dégradé, je suis très déçu"
    assert SCORER.score(normalize("NFD", text)) == SCORER.score(text)
    assert SCORER.score(text).language == "fr"
    assert language_of(normalize("NFD", text)) == "fr"


@pytest.mark.parametrize(
    ("text", "language"),
    [
        ("We cannot sign in since this morning, can you help us?", "en"),
        ("Wir können uns seit heute morgen nicht mehr anmelden, bitte helfen Sie uns.", "de"),
        ("Nous ne pouvons plus nous connecter depuis ce matin, pouvez-vous nous aider ?", "fr"),
        ("No podemos entrar desde esta mañana, ¿nos pueden ayudar por favor?", "es"),
        ("Da questa mattina non riusciamo più ad accedere, potete aiutarci?", "it"),
        ("Não conseguimos entrar desde hoje de manhã, vocês podem nos ajudar?", "pt"),
        ("Wij kunnen sinds vanmorgen niet meer inloggen, kunt u ons helpen?", "nl"),
        ("Od rana nie możemy się zalogować, proszę o pomoc, czy to jest awaria?", "pl"),
        ("今朝からログインできません", "ja"),
        ("今天早上无法登录", "zh"),
        ("오늘 아침부터 로그인이 안 됩니다", "ko"),
        ("Мы с утра не можем войти", "ru"),  # noqa: RUF001
        ("Ми зранку не можемо увійти", "uk"),
        ("login broken", "und"),
        ("", "und"),
    ],
)
def test_languages(text: str, language: str) -> None:
    assert language_of(text) == language


@pytest.mark.parametrize(
    ("better", "worse"),
    [
        pytest.param("Great support, thank you!", "The support is useless and rude.", id="English"),
        pytest.param("Vielen Dank, das war sehr hilfreich.", "Das ist eine ärgerliche Katastrophe.", id="German"),
        pytest.param("Merci, c'est vraiment parfait.", "Le service est horrible et très lent.", id="French"),
        pytest.param("Muchas gracias, todo está perfecto.", "El servicio es terrible, una vergüenza.", id="Spanish"),
        pytest.param("Grazie mille, il servizio è ottimo.", "Il servizio è pessimo, una vergogna.", id="Italian"),
        pytest.param("Obrigado, o atendimento foi excelente.", "O atendimento é horrível e lento.", id="Portuguese"),
        pytest.param("Bedankt, jullie zijn heel vriendelijk.", "Het is een waardeloos en slecht product.", id="Dutch"),
        pytest.param("It is good.", "It is not good.", id="negation"),
        pytest.param("Das ist gut.", "Das finde ich gut nicht.", id="negation after, in German"),
        pytest.param("It is bad.", "It is VERY bad!!!", id="emphasis"),
        pytest.param("It is bad.", "It is extremely bad.", id="degree"),
        pytest.param("😊", "😡", id="faces need no language"),
        pytest.param("see https://acme.example", "see :/", id="an address is no face"),
    ],
)
def test_what_feels_better_scores_higher(better: str, worse: str) -> None:
    assert score(better) > score(worse)


def test_praise_is_above_and_complaint_below_zero_and_the_words_are_named() -> None:
    found = SCORER.score("The app is terribly slow, we are very disappointed.")

    assert found.score is not None
    assert found.score < 0
    assert set(found.reasons) == {"terribly", "slow", "disappointed"}
    assert score("I love it, great work") > 0


def test_nothing_is_said_about_a_language_without_a_lexicon() -> None:
    assert SCORER.score("今朝からログインできません").score is None
    assert score("ありがとう 😊") > 0


@given(st.text(max_size=200), st.sampled_from([None, "en", "de", "xx"]))
def test_any_text_can_be_scored(text: str, language: str | None) -> None:
    found = SCORER.score(text, language)

    assert found == SCORER.score(text, language)
    assert found.score is None or -1 <= found.score <= 1
