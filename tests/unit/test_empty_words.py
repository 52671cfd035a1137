"""Thanks that ask for nothing and replies that say nothing: whole messages in many languages, and near misses.

A miss costs little (the clock runs on, as without this); a wrong hit takes a question out of the measurement.
"""

import pytest

from agents.domain.empty_words import LONGEST, is_holding_reply, is_only_thanks

THANKS = """
Thanks | Thank you so much! | thx | Thanks Anna | Thanks, Anna! | Hi Anna, thanks a lot for your help | thanks again
Great, thanks! | Perfect thank you 🙏 | Thanks!!! :) | Many thanks and best regards | Thank you for the quick reply.
That solved it, thank you | It works now, thanks! | thanks, all good now | Cheers mate | Thank you, Mr. Brown
Merci beaucoup ! | Merci pour votre aide | Vielen Dank! | Danke schön | Vielen lieben Dank | Super, danke dir
Danke, funktioniert wieder | Besten Dank für die schnelle Hilfe | Danke und viele Grüße, Jens Müller
¡Muchas gracias! | Gracias por su ayuda | Grazie mille | Muito obrigada! | Bedankt | Dank je wel | Tack så mycket
Tusen takk | Mange tak | Dziękuję bardzo | Díky | Kiitos! | Teşekkürler | Спасибо большое | Дякую!
ありがとうございます | 谢谢 | 감사합니다
"""

QUESTIONS = """
thanks but it still fails | Thanks, but no | No thanks | Thanks for nothing | thanks. Still broken | Thanks, waiting
Thanks in advance | Danke im Voraus | Merci d'avance | Gracias de antemano | Thanks, when will it ship
Thanks, when will it ship? | Thank you? | Thank you for your patience | great, now it is worse | Thanks, HELP
Great, thanks a lot for breaking it | Thanks, please close my account | Thanks. Please cancel | thanks Error 500
Thanks, Urgent | Thanks, Refund Please | Thanks, Cancel | Thanks No | Merci de me rappeler | Merci Non | Danke, Nein
Danke für nichts | Danke, leider nicht | Danke Aber | Gracias, pero no funciona | tack on a surcharge | Tak | tak je to
ok | OK | Perfect | super | It works | Best regards
"""

HOLDING = """
We're on it | I'm looking into this now. | Hi Anna, we are looking into it. | We are currently investigating
Checking...
Thanks for reaching out, we will get back to you shortly | One moment please | Please bear with us | Let me check
We received your request and will get back to you soon. | Wir kümmern uns darum | Wir melden uns in Kürze
Ich schaue mir das an | Nous revenons vers vous | Estamos en ello | Un momento por favor
"""

ANSWERS = """
We are looking into it: please restart | We looked into it and fixed it | I am on it, meanwhile use the old export
We're on it? | Please wait until 18:00, then restart | Please hold on to the receipt | It is fixed | No
I received your request and refunded it | We will not look into it | we are not on it | One second outage
I am looking into it because the server is down | Our team is on it. The server will be restarted at 10:00
"""


def phrases(table: str) -> list[str]:
    return [phrase.strip() for line in table.strip().splitlines() for phrase in line.split("|")]


@pytest.mark.parametrize("text", phrases(THANKS))
def test_thanks_and_nothing_else(text: str) -> None:
    assert is_only_thanks(text)


@pytest.mark.parametrize("text", phrases(QUESTIONS))
def test_thanks_with_something_else_or_none(text: str) -> None:
    assert not is_only_thanks(text)


@pytest.mark.parametrize("text", phrases(HOLDING))
def test_a_reply_that_says_nothing(text: str) -> None:
    assert is_holding_reply(text)


@pytest.mark.parametrize("text", phrases(ANSWERS))
def test_a_reply_that_says_something(text: str) -> None:
    assert not is_holding_reply(text)


def test_who_writes_much_has_something_to_say() -> None:
    assert not is_only_thanks("thanks " * (LONGEST // 6))
    assert not is_holding_reply("we are on it " * (LONGEST // 6))
