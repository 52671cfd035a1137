"""Words of feeling, by language: how good or bad they are (3 to -3), what turns them round, what makes them stronger.

Written by hand for support: `crash` and `refund` are no feelings, but nobody is happy who writes them. `rule_sentiment`
reads them. Words are given as they begin, so that `frustrat` is `frustrated`, `frustrating` and `frustration`; a word
that ends in `$` is meant whole.
"""

from typing import NamedTuple


class Lexicon(NamedTuple):
    """The words of one language. `turns` follow the verb in German and Dutch, so they are looked for on both sides."""

    beginnings: dict[str, int]
    turns: frozenset[str]
    more: frozenset[str]
    less: frozenset[str]


def _lexicon(graded: dict[int, str], turns: str, more: str, less: str) -> Lexicon:
    beginnings = {word: grade for grade, words in graded.items() for word in words.split()}
    return Lexicon(beginnings, *(frozenset(words.split()) for words in (turns, more, less)))


LEXICONS = {
    "en": _lexicon(
        {
            3: "awesome amazing excellent fantastic wonderful perfect brilliant outstanding superb love$ "
            "loved$ loving$ best$",
            2: "great$ happy$ glad$ appreciat thank thx$ impress delight pleas$ pleased$ pleasant enjoy "
            "kudos$ helpful friendly smooth awesom congrat yay$ win$ fabulous grateful",
            1: "good$ nice$ nicely$ fine$ cool$ fast$ quick$ quickly$ easy$ easily$ resolved$ fixed$ "
            "works$ better$ fun$ kind$ helped$ lol$ haha welcome$ hope$ safe$",
            -1: "slow delay late$ wait$ waiting$ problem issue error bug$ confus wrong$ miss$ missed$ "
            "missing$ stuck$ expensive cancel refund complain difficult hard$ unable$ stop$ stopped$ "
            "lost$ lose$ down$ sorry$ sad$ unclear hold$ dropped$ rebook declin reject deny denied$ "
            "charged$ overcharg queue",
            -2: "bad$ badly$ fail broke crash angry annoy frustrat disappoint useless poor$ poorly$ rude "
            "unhappy ridiculous unacceptable incompeten fault damage terribl joke$ suck lack$ "
            "lacking$ never$ nothing$ ignore blame unhelpful lied$ lie$ lies$ stole stolen$ screwed "
            "mess$ crap worse$ upset nightmare outage hung$ hang$ hangs$",
            -3: "worst$ hate horrible horrid awful disgust disgrace scam fraud furious pathetic unbeliev "
            "garbage$ shame wtf$ fuck shit damn hell$ appall atrocious",
        },
        "not no never cannot can't cant don't dont doesn't doesnt didn't didnt isn't isnt wasn't "
        "won't wont without nobody aren't couldn't wouldn't hasn't haven't hardly",
        "very really so extremely totally completely absolutely incredibly super too such again",
        "slightly somewhat bit little fairly kinda almost",
    ),
    "de": _lexicon(
        {
            3: "ausgezeichnet hervorragend fantastisch wunderbar perfekt begeistert großartig super$ "
            "spitze$ beste$ liebe$",
            2: "toll freundlich hilfreich dank zufrieden froh$ freue glücklich klasse$ prima$ gelungen",
            1: "gut$ gute$ guten$ gutes$ guter$ schön schnell einfach$ gelöst behoben funktioniert$ läuft$ nett gern",
            -1: "langsam verspät warte problem fehler falsch fehlt vermisse teuer kündig storn beschwer "
            "schwierig leider verloren unklar abgelehnt hängt$ mahnung mangel nochmal",
            -2: "schlecht kaputt defekt abgestürzt absturz stürzt$ ärger enttäusch nutzlos unfreundlich "
            "unzufrieden frech ausfall mangelhaft ignorier versagt inkompetent genervt nervt$ wütend",
            -3: "schrecklich furchtbar katastroph unverschämt betrug abzocke hasse schlimmste unfassbar "
            "frechheit scheiß miserabel skandal unmöglich$",
        },
        "nicht kein keine keinen keiner nie niemals ohne nichts",
        "sehr wirklich total völlig absolut extrem so zu wieder",
        "etwas bisschen leicht kaum",
    ),
    "fr": _lexicon(
        {
            3: "excellent parfait magnifique fantastique génial formidable adore meilleur",
            2: "merci super$ content heureu ravi satisfait aimable sympa remerci bravo$ impeccable",
            1: "bon$ bonne$ bien$ rapide facile résolu fonctionne$ gentil agréable",
            -1: "lent retard attend problème erreur faux$ manqu cher$ annul rembours plainte difficile "
            "perdu bloqué refus impossible malheureusement",
            -2: "mauvais panne cassé plante$ déçu énerv fâché nul$ nulle$ inutile impoli incompétent "
            "inadmissible mécontent",
            -3: "horrible affreu catastroph honte scandal arnaque déteste pire$ inacceptable lamentable merde",
        },
        "ne n' pas jamais aucun aucune sans rien plus",
        "très vraiment tellement trop totalement complètement encore",
        "peu légèrement presque",
    ),
    "es": _lexicon(
        {
            3: "excelente perfect maravillos fantástic increíble$ encanta mejor$ genial",
            2: "gracias feliz content agradec satisfech amable súper$ estupend",
            1: "buen$ bueno$ buena$ bien$ rápid fácil resuelt funciona$ bonit",
            -1: "lent retras demora esper problema error mal$ falta caro$ cancel reembols queja difícil "
            "perdid bloque rechaz",
            -2: "mala$ malo$ rot$ roto$ rota$ falla decepcion enfad molest inútil groser incompet pésim descontent",
            -3: "horrible terrible fatal$ vergüenza estafa odio peor$ inaceptable asco mierda desastre",
        },
        "no nunca jamás sin nada ningún ninguna tampoco",
        "muy realmente tan demasiado totalmente completamente otra",
        "poco algo casi",
    ),
    "it": _lexicon(
        {
            3: "eccellent perfett meraviglios fantastic ottim adoro migliore",
            2: "grazie felice content soddisfatt gentil bravissim apprezz",
            1: "buon$ buona$ buono$ bene$ veloce facile risolt funziona$ bello$",
            -1: "lent ritard aspett problema errore sbagliat manca caro$ annull rimbors reclam difficil "
            "pers$ blocc rifiut",
            -2: "cattiv male$ rott guast delus arrabbiat inutil scortes incompetent pessim insoddisfatt",
            -3: "orribil terribil vergogn truffa odio peggior inaccettabil schifo disastro",
        },
        "non mai senza niente nulla nessun nessuna",
        "molto davvero così troppo totalmente completamente ancora",
        "poco quasi",
    ),
    "pt": _lexicon(
        {
            3: "excelente perfeit maravilhos fantástic ótim adoro melhor$",
            2: "obrigad feliz content satisfeit agradeç gentil parabéns",
            1: "bom$ boa$ bem$ rápid fácil resolvid funciona$ legal$",
            -1: "lent atras demora esper problema erro$ errad falta caro$ cancel reembols reclam difícil "
            "perdid bloque recus",
            -2: "ruim mau$ má$ quebrad falha decepcion irritad chatead inútil grosseir incompet péssim insatisfeit",
            -3: "horrível terrível vergonha golpe$ fraude odeio pior$ inaceitável lixo desastre absurdo",
        },
        "não nunca jamais sem nada nenhum nenhuma nem",
        "muito realmente tão demais totalmente completamente novamente",
        "pouco quase",
    ),
    "nl": _lexicon(
        {
            3: "uitstekend perfect geweldig fantastisch prachtig beste$",
            2: "bedankt dank$ blij tevreden vriendelijk behulpzaam fijn top$ super$",
            1: "goed$ goede$ mooi snel makkelijk opgelost werkt$ leuk",
            -1: "langzaam traag vertrag wacht probleem problemen fout verkeerd ontbreekt duur$ annul "
            "klacht moeilijk helaas kwijt geweiger",
            -2: "slecht kapot stuk$ storing crash teleurgesteld boos nutteloos onvriendelijk ontevreden irritant",
            -3: "verschrikkelijk vreselijk waardeloos belachelijk oplicht haat$ slechtste schande onacceptabel ramp$",
        },
        "niet geen nooit zonder niets",
        "heel erg echt zo te helemaal totaal weer",
        "beetje iets bijna",
    ),
}
"""By ISO 639-1."""

FACES = {
    **dict.fromkeys("😀😃😄😁😊🙂😍🥰😘🤩👍🙏💯🎉🥳😎👏", 2),
    **dict.fromkeys(("❤", ":)", ":-)", ":d", "<3", ";)"), 2),
    **dict.fromkeys("😡🤬😠😤👎🤮💩", -3),
    **dict.fromkeys("😞😢😭😩😫🙄😒😑☹🙁😔😖", -2),
    **dict.fromkeys((":(", ":-(", ":/", ":-/"), -2),
}
"""Understood in every language. Tears of joy are left out: people put them to jokes about bad service."""
