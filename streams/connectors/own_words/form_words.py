"""What fields of web forms are usually called, in several languages."""

import re
from collections.abc import Iterable, Mapping


def _words(text: str) -> frozenset[str]:
    return frozenset(text.split())


USUAL_NAMES: Mapping[str, frozenset[str]] = {
    "email_field": _words(
        "correo correoelectronico courriel email emailaddress emailadresse epost from mail mailadresse replyto"
        " адресэлектроннойпочты почта 邮箱 メール メールアドレス"
    ),
    "message_field": _words(
        "anfrage anliegen bericht besked body comentario comentarios comment comments commentaire consulta content"
        " demande description details enquiry feedback frage inquiry kommentar mensagem mensaje message messaggio"
        " mitteilung msg nachricht pregunta problem query question request richiesta text viesti wiadomosc wiadomość"
        " zprava zpráva сообщение вопрос 内容 留言 本文 お問い合わせ内容 メッセージ"
    ),
    "name_field": _words(
        "apellido apellidos cognome familyname firstname fullname imie imię jmeno jméno lastname naam nachname name"
        " namn navn nom nombre nome prenom prénom surname vorname имя 姓名 お名前 名前"
    ),
    "subject_field": _words(
        "amne ämne asunto assunto betreff emne objet oggetto onderwerp predmet předmět subject temat thema title topic"
        " тема 主题 件名"
    ),
    "honeypot_field": _words("botfield gotcha honey honeypot hp"),
}
"""By the option that names the field instead: lower case, without what stands between the words."""

MACHINERY = _words(
    "authenticitytoken carelinetoken cfturnstileresponse charset csrf csrfmiddlewaretoken csrftoken formname"
    " grecaptcharesponse hcaptcharesponse next redirect submit utf8 wpnonce"
)
"""Fields that the page and not the person fills in: no words, and another value at every visit."""

LONGEST_NAME = 200
"""Characters of a field's name that are looked at."""

VALUE = "[value]"
"""After the name of a field that is sent with descriptions of itself: `fields[message][value]`."""

_BETWEEN = re.compile(r"[\W_]+")


def names_of(option: str, names: Iterable[str]) -> list[str]:
    """The names that are usual for a kind of field; where there are none, those that end like one.

    So `your-message` and `contact[message]` are messages, unless there is a `message` besides.
    """
    usual, parted = USUAL_NAMES[option], [(name, _parted(name)) for name in names]
    exact = [name for name, words in parted if "".join(words) in usual]
    return exact or [name for name, words in parted if words and words[-1] in usual]


def is_machinery(name: str) -> bool:
    """Whether the page fills in this field."""
    return "".join(_parted(name)) in MACHINERY


def _parted(name: str) -> list[str]:
    return [word for word in _BETWEEN.split(name[:LONGEST_NAME].casefold().removesuffix(VALUE)) if word]
