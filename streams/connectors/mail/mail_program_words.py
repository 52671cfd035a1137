# ruff: noqa: RUF001 - words in Greek, Cyrillic and Turkish letters are meant
"""What mail programs write around a quotation, in the languages that they speak: pieces of regular expressions.

`written_text` makes its rules of them, and `mail_automation` knows absence notes by them. Collected from the programs'
own phrases (Gmail, Apple Mail, Outlook, Thunderbird, Yahoo, mobile clients); each language needs one word in each table
to be understood.
"""

BEFORE_THE_DATE = (
    "on",
    "am",
    "le",
    "el",
    "il",
    "op",
    "em",
    "den",
    "dnia",
    "på",
    "pe",
    "dne",
    "ngày",
    "na",
    "στις",
)
"""How "On Monday, A wrote:" begins, where the verb stands at the end."""

WROTE_AT_THE_END = (
    "wrote",
    "schrieb(?:en)?(?: .{1,200})?",
    "a écrit",
    "escribi[óo]",
    "ha scritto",
    "schreef(?: .{1,200})?",
    "escreveu",
    r"napisał(?:\(a\)|a)?",
    "skrev(?: .{1,200})?",
    "kirjoitti",
    "a scris",
    r"napsal(?:\(a\)|a)?",
    "đã viết",
    "έγραψε",
)

WROTE_AFTER_ANYTHING = ("wrote", "schrieb am .{4,60}", r"написал(?:а|\(а\))?", "пише(?:т|ть)", "yazdı")
"""Behind a name or an address alone: `Marc Slemko wrote:`."""

WROTE_AFTER_A_DATE = ("さんは書きました", "のメール", "님이 작성", "写道", "寫道")
"""Without a blank before the word."""

ORIGINAL_MESSAGE = (
    "original message",
    "original appointment",
    "ursprüngliche nachricht",
    r"urspr\. nachricht",
    "message d'origine",
    "message original",
    "mensaje original",
    "messaggio originale",
    "oorspronkelijk bericht",
    "mensagem original",
    "oryginalna wiadomość",
    "wiadomość oryginalna",
    "ursprungligt meddelande",
    "oprindelig meddelelse",
    "opprinnelig melding",
    "исходное сообщение",
    "原始邮件",
    "原始郵件",
    "元のメッセージ",
    "원본 메시지",
)

FORWARDED_MESSAGE = (
    "forwarded message",
    "begin forwarded message",
    "weitergeleitete nachricht",
    "message transféré",
    "mensaje reenviado",
    "messaggio inoltrato",
    "doorgestuurd bericht",
    "mensagem encaminhada",
    "wiadomość przekazana",
    "vidarebefordrat meddelande",
    "пересланное сообщение",
)

FROM = (
    "from",
    "von",
    "de",
    "da",
    "van",
    "od",
    "från",
    "fra",
    "lähettäjä",
    "от",
    "差出人",
    "发件人",
    "寄件者",
)
SENT_OR_TO = (
    "sent",
    "date",
    "gesendet",
    "datum",
    "envoyé",
    "enviado",
    "fecha",
    "data",
    "inviato",
    "verzonden",
    "wysłano",
    "skickat",
    "sendt",
    "lähetetty",
    "отправлено",
    "дата",
    "送信日時",
    "发送时间",
    "寄件日期",
    "to",
    "an",
    "à",
    "para",
    "a",
    "aan",
    "do",
    "till",
    "til",
)
"""The lines below From in the header that Outlook quotes."""

SENT_FROM_A_DEVICE = (
    "sent from (?:my|a|mail|yahoo|outlook|samsung|proton)",
    "sent via",
    "get outlook for",
    "von meinem .{2,40} gesendet",
    "gesendet (?:von|mit)",
    "envoyé (?:de|depuis)",
    "enviado (?:desde|do|a partir)",
    "inviato da",
    "verzonden (?:vanaf|met|via)",
    "wysłan[eoy] z",
    "skickat från",
    "sendt fra",
    "отправлено (?:с|из)",
    "iphoneから送信",
    "从我的",
    "發自我的",
)

AUTOMATIC_REPLY = (
    "automatic (?:reply|response)",
    "auto(?:mated)?[- ]?(?:reply|response)",
    "out of (?:the )?office(?: auto-?reply)?",
    "automatische antwort",
    "abwesenheits(?:notiz|nachricht)",
    "automatisch antwoord",
    "réponse automatique",
    "respuesta automática",
    "resposta automática",
    "risposta automatica",
    "automatiskt? svar",
    "autosvar",
    "automatyczna odpowiedź",
    "автоответ",
    "автоматический ответ",
    "自動応答",
    "自动答复",
)
"""How the subjects of absence notes begin, before a colon."""

NOT_DELIVERED = (
    "undeliver(?:able|ed)",
    "un[zs]ustellbar",
    "delivery (?:failure|failed|status|notification|report|error)",
    r"mail delivery (?:failed|failure|error)",
    "message (?:delivery failure|could not be delivered|not delivered)",
    "mail (?:system error|could not be delivered)",
    "(?:returned|rejected|undeliverable) (?:mail|message)",
    "failure notice",
    "non remis",
    "no se puede entregar",
    "não é possível entregar",
    "non recapitabile",
    "onbestelbaar",
    "niedostarczalne",
    "не удается доставить",
    "メールエラー",
    "メッセージを配信できません",
    "配信不能",
    "无法送达",
    "無法傳遞",
)
"""How the subjects of returned mails begin: of Exchange in its languages, Domino, IMail, ezweb, m-FILTER, InterScan."""
