"""Words of messages: what counts, in which languages, and what is nobody's own word."""

import pytest

from agents.domain.message_words import MOST_WORDS, runs, stem, text_of, words_of


def stems(text: str) -> list[str]:
    return [word.stem for word in words_of(text)]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        pytest.param("The app crashes!", ["app", "crash"], id="English, endings cut"),
        pytest.param("Die Rechnung für März ist falsch", ["rechnung", "märz", "falsch"], id="German"),
        pytest.param("Je n'ai pas reçu ma facture", ["reçu", "factur"], id="French"),
        pytest.param("No puedo descargar la factura", ["descargar", "factura"], id="Spanish"),
        pytest.param("Оплата картой отклонена", ["оплата", "картой", "отклонена"], id="Russian"),
        pytest.param(
            "लॉगिन काम नहीं कर रहा। मदद", ["लॉगिन", "काम", "नहीं", "कर", "रहा", "मदद"], id="Hindi, vowels are signs"
        ),
        pytest.param("கடவுச்சொல் தவறு", ["கடவுச்சொல்", "தவறு"], id="Tamil"),
        pytest.param("ไม่ได้", ["ไม", "ม่", "่ไ", "ได", "ด้"], id="Thai, by pairs, tones are signs"),
        pytest.param("登录失败", ["登录", "录失", "失败"], id="Chinese, by pairs"),
        pytest.param(
            "PDFが空白、wifiが不調", ["pdf", "が空", "空白", "wifi", "が不", "不調"], id="Japanese, with words"
        ),
        pytest.param("re\u0301glage de\u0301grade\u0301", ["réglag", "dégradé"], id="accents of their own"),
        pytest.param("@acme see https://acme.example/x?y=1 or a.b@acme.example", [], id="handles and addresses"),
        pytest.param("order 4711 of 2026-03-02, phone +49 30 1234567", ["order", "phon"], id="numbers"),
        pytest.param("error E1042 on iPhone15", ["error", "iphone15"], id="codes that are mostly digits are numbers"),
        pytest.param("#Outage again &amp; again", ["outag"], id="hashtags and entities"),
        pytest.param("LOL RT @acme: our new fleet is here", ["lol"], id="a retweet is somebody else's"),
        pytest.param("broken\n> On Monday you wrote:\n> all is well", ["broken"], id="so is what a mail quotes"),
        pytest.param(
            "crash\n\n-----Original Message-----\nFrom: You\n\nSpring sale", ["crash"], id="older mail, Outlook"
        ),
        pytest.param(
            "Absturz\n\nVon: Ihr Team\nGesendet: Montag\nBetreff: Angebot\n\nSonderpreise",
            ["absturz"],
            id="German Outlook",
        ),
        pytest.param(
            "crash\n\nOn 2 March 2026, Shop <a@b.example> wrote:\n\nSpring sale", ["crash"], id="older, Gmail"
        ),
        pytest.param(
            "broken\nOn Monday you wrote:\n> fine\nprinter", ["broken", "wrot", "printer"], id="answers between"
        ),
        pytest.param(
            "-----Original Message-----\nprinter broken", ["original", "messag", "printer", "broken"], id="passed on"
        ),
        pytest.param(
            "printer\nfrom: hall 3\nbroken", ["printer", "hall", "broken"], id="a line that begins like a header"
        ),
        pytest.param("crash crashed crashing", ["crash"], id="each once"),
        pytest.param("", [], id="nothing"),
        pytest.param("\ud800\x00🙂", [], id="no text at all"),
    ],
)
def test_words(text: str, expected: list[str]) -> None:
    assert stems(text) == expected


@pytest.mark.parametrize(
    ("forms", "expected"),
    [
        (("charge", "charges", "charged", "charging"), "charg"),
        (("crash", "crashes", "crashed", "crashing"), "crash"),
        (("stop", "stops", "stopped", "stopping"), "stop"),
        (("reply", "replies"), "reply"),
        (("process",), "process"),
        (("status",), "status"),
    ],
)
def test_forms_of_a_word_are_one(forms: tuple[str, ...], expected: str) -> None:
    assert {stem(form) for form in forms} == {expected}


def test_pairs_of_characters_are_told_as_the_words_that_they_are_of() -> None:
    told = runs(["pdf", "エク", "クス", "スポ", "ポー", "ート", "app", "空白", "白紙", "一覧"])

    assert [text_of(run) for run in told] == ["エクスポート", "空白紙", "一覧"]


def test_a_long_message_is_read_at_its_beginning() -> None:
    assert len(words_of(" ".join(f"word{chr(97 + n % 26)}{chr(97 + n // 26)}" for n in range(500)))) == MOST_WORDS
