"""Words that occur in every conversation and say nothing about its subject, in the languages support desks meet most.

Written by hand for `message_words`: grammar, greetings, courtesy, times of day, and what every request says (`need`,
`try`, `know`). What tells one trouble from another is not among them, however frequent: `down`, `slow`, `stop`.
"""

_ENGLISH = """
a able about actually after again ago all almost already also although always am an and another any anybody anyone
anything anyway are aren't as asap ask asked asking at away b back be because been before being believe both but by c
can can't cannot cant come could couldn't d day days dear did didn't didnt do does doesn't doesnt doing don't done
dont each either else especially etc even ever every everyone everything example far few find first folks for from g
get gets getting give given go goes going gonna good got gotten great guys had happen happened happening happens has
hasn't have haven't having he hello help her here hers hey hi him his hour hours how however i i'd i'll i'm i've if im
in instead into is isn't isnt it it's its itself ive just keep keeps kind kindly know last least let let's lets like
little ll long look looking lot m made make makes making many may maybe me mean might mine minutes more morning most
much must my myself n nbsp near need needs never new next nice night no nobody none not nothing now o of off ok okay
on once one ones only onto or other others our out over own part people perhaps please pls plz put quite r rather re
really regarding regards right s said same saw say saying says see seem seems seen several shall she should shouldn't
since so some somebody someone something soon sorry still such sure t take taking team tell than thank thanks that
that's thats the their them themselves then there there's these they they're thing things think this those though
through thx till time times to today together tomorrow tonight too took tried try trying two u under until up ur us
use used using v very via w wait want wanted wants was wasn't wasnt way we we'll we're we've week weeks well went were
weren't what what's whatever when where whether which while who whole whose why will wish with within without won't
wont would wouldn't x y year years yes yesterday yet you you'll you're you've your yours yourself z afternoon evening
monday tuesday wednesday thursday friday saturday sunday
"""
_GERMAN = """
aber alle allem allen aller alles als also am an andere anderen auch auf aus bei beim bin bis bist bitte da dabei
dafür damit danke dann das dass daß dein dem den denn der des deshalb dich die dies diese diesem diesen dieser dieses
dir doch dort du durch ein eine einem einen einer eines einfach er es etwas euch euer fast für ganz gar geht gerade
gerne gestern gibt grüße grüßen guten hab habe haben hallo hat hatte hatten heute hier hilfe ich ihm ihn ihnen ihr
ihre ihrem ihren ihrer immer in ins ist ja jemand jetzt kann kein keine keinen können könnte könnten liebe lieben
machen mal man mehr mein meine meinem meinen meiner mich mir mit mittlerweile morgen moin muss müssen nach nein nicht
nichts noch nun nur ob oder ohne schon sehr sein seine seit sich sie sind so soll sollte sondern tag um und uns unser
unsere unseren unter viel vielen vom von vor war waren warum was weil wenn wer werden wie wieder wieso will wir wird
wo wurde wurden zu zum zur zwei über
"""
_FRENCH = """
afin ai alors après as au aucun aujourd'hui aussi autre autres aux avait avant avec avez avoir avons beaucoup bien
bonjour bonsoir c'est car ce cela celle celui ces cet cette chez ci comme comment cordialement d'un d'une dans de
depuis des deux donc du elle elles en encore entre es est et eu eux faire fait faut hier il ils j'ai je jour jours
l'on la le les leur leurs lors lui ma mais me merci mes moi moins mon même n'est ne ni nos notre nous on ont ou où par
parce pas peu peut peux plus pour pourquoi pouvez puis qu'il qu'on quand que quel quelle quelque qui quoi sa salut
sans se ses si s'il soit son sont sous sur svp ta te tes toi ton toujours tous tout toute toutes très tu un une va
vers veux voici voilà vos votre voulais vous vraiment y à ça été êtes être
"""
_SPANISH = """
a ahora al algo alguien algún alguna algunas alguno algunos ante antes aquí así aun aunque ayer ayuda bien buenas
buenos cada casi como con contra cuando cual cuál cuándo cómo de del desde donde dos día días e el él ella ellas ellos
en entre era es esa esas ese eso esos esta está están estaba estar estas este esto estos estoy favor fue gracias ha
haber había hace hacer han hasta hay he hola hoy igual ir la las le les lo los luego mañana me mi mis mismo mucho
muchas muchos muy más mí nada ni no nos nosotros nuestra nuestro nunca o os otra otro para pero poco por porque pues
puede puedo que quien quiero qué saludos se ser si sido siempre sin sobre solo soy son su sus sí también tampoco tan
tanto te tengo tiene tienen todo todos toda todas tu tus un una uno unos usted ustedes va vez ya yo
"""
_ITALIAN = """
abbiamo ad adesso agli ai al alla alle allo anche ancora avere aver avete buongiorno buonasera c'è che chi ci ciao
come con cosa così cui da dal dalla dalle dallo degli dei del della delle dello di dopo dove due e ed era essere fa
fare fatto favore fino fra già gli grazie ha hanno ho i ieri il in io la le lei li lo loro lui ma me mi mia mie miei
mio molto ne negli nei nel nella nelle nessun niente noi non nostro o oggi ogni ora per perché però piu più poi posso
possibile prima pure può qua quale quando quanto quella quelle quello questa queste questi questo qui quindi salve se
sei sempre senza si sia siamo sono sopra sta stato sto su sua sue sui sul sulla suo tanto te ti tra tu tutti tutto un
un'altra una uno va vi voi vostro vorrei è
"""
_PORTUGUESE = """
agora ainda algum alguma alguém além ao aos aquela aquele aqui as até bom boa cada com como da das de dela dele depois
desde dia dias do dos e ela elas ele eles em entre era essa esse esta está estão estava este estou eu favor fazer foi
for há hoje isso isto já lhe lá mais mas me mesmo meu meus minha minhas muito muitos na nas nem nenhum no nos nossa
nosso não nós num numa o obrigada obrigado olá onde ontem os ou outra outro para pela pelo pode podem por porque posso
pra qual quando que quem quero se sem sempre ser seu seus sim sobre só sou sua suas são também tem tenho ter teu tinha
todo todos tudo tá um uma umas uns vai vocês você vou à às é
"""
_DUTCH = """
aan al alle alleen als altijd andere beste ben bij dan dank dat de deze die dit doen door dus een en er even gaan geen
graag groet groeten had hallo heb hebben heeft het hier hij hoe hun ik in is ja je jij jullie kan kon kunnen maar meer
met mij mijn moet na naar nee net niet niets nog nu of om onder ons onze ook op over sinds te ten toch toen tot u uit
uw van vandaag vanaf veel voor waarom wanneer want waren was wat we weer wel werd wie wij wil worden wordt zal ze zei
zelf zich zij zijn zo zonder zou
"""
_POLISH = """
aby ale będzie bez być było by co czy dla do dzień dobry gdy gdzie go i ich ile im ja jak jaki jako jest jestem
jeszcze już kiedy która które który lub ma mam mi mnie moje mogę można mój na nad nam nas nie nic niż o od on ona oni
oraz po pod ponieważ poza proszę przed przez przy się są ta tak tam te tego tej ten to tu tylko w we was wszystko z za
ze że żeby
"""
_TURKISH = """
acaba ama artık aslında bana bazı belki ben beni benim bir biz bizim bu çok çünkü da daha de defa diye değil en gibi
göre hala hem hep her hiç için ile ise iyi kadar ki kim lütfen mi mı mu mü merhaba nasıl ne neden nerede o olan olarak
oldu olduğu olur sen siz sizin sonra şey şimdi şu tüm var ve veya ya yani yok
"""  # noqa: RUF001 - Turkish has an i without a dot

STOP_WORDS = frozenset(
    f"{_ENGLISH} {_GERMAN} {_FRENCH} {_SPANISH} {_ITALIAN} {_PORTUGUESE} {_DUTCH} {_POLISH} {_TURKISH}".split()
)
"""Of all languages at once: a message is read without asking in which language it is."""
BY_LANGUAGE = {
    "en": frozenset(_ENGLISH.split()),
    "de": frozenset(_GERMAN.split()),
    "fr": frozenset(_FRENCH.split()),
    "es": frozenset(_SPANISH.split()),
    "it": frozenset(_ITALIAN.split()),
    "pt": frozenset(_PORTUGUESE.split()),
    "nl": frozenset(_DUTCH.split()),
    "pl": frozenset(_POLISH.split()),
    "tr": frozenset(_TURKISH.split()),
}
"""The same by language (ISO 639-1): `message_language` tells languages apart by them."""
