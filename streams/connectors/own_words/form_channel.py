"""A web form (id `form`): one post of a plain HTML form is one message of a customer.

`form_fields` reads it, `form_words` knows the usual names. Nobody vouches for what a form says, so its address is
`unverified_email:`; a token in a hidden field or a header keeps passers-by out, and a honeypot those who fill in
everything. What was said is the id: the same fields are the same message for ever, so a double click is one.
"""

import re
from hashlib import blake2b

import msgspec

from schemas.interaction import Author
from streams.connectors.accounts_directory import identities_of_address
from streams.connectors.connector_contract import (
    ConnectorKind,
    Ignored,
    Instance,
    ProviderAnswer,
    Reading,
    Refused,
    Verdict,
    WebhookRequest,
)
from streams.connectors.drafting import Drafter
from streams.connectors.own_words.allowed_origins import (
    ORIGINS_OPTION,
    allowed_origins,
    is_allowed,
    preflight,
    shared_with,
)
from streams.connectors.own_words.form_fields import PostedForm, read_form
from streams.connectors.own_words.form_words import USUAL_NAMES, is_machinery, names_of
from streams.connectors.shared_secrets import KnownTokens, SharedSecret, tokens_shown

TOKEN_FIELD = "careline_token"  # noqa: S105 - the name of a field
"""The hidden field that holds the token. It can be read in the page: it keeps out who has not seen the page."""

_ADDRESS = re.compile(r"[^@\s\x00-\x1f]{1,64}@[^@\s\x00-\x1f]{1,255}")

THANKS = (
    b'<!doctype html><html lang="en"><meta charset="utf-8"><meta name="viewport" content="width=device-width">'
    b"<title>Thank you</title><p>Thank you. We have received your message."
)


class FormPosts:
    """Reads posts of one form."""

    def __init__(self, instance: Instance) -> None:
        self._instance = instance

    def normalise(self, request: WebhookRequest) -> Reading:
        """The message that a post is."""
        form = read_form(request)
        if isinstance(form, Refused):
            return [form]
        if self._found(form, "honeypot_field"):
            return [Ignored("honeypot")]
        said = dict.fromkeys(value.strip() for value in self._found(form, "message_field").values())
        written = "\n\n".join(said)
        written = written or self._other_words(form)
        if not written:
            names = ", ".join(form.fields)[:120]
            return [Refused("malformed_payload", f"Object contains no message among its fields ({names}) - at `$`")]
        addresses = (value.strip().lower() for value in self._found(form, "email_field").values())
        address = next((value for value in addresses if _ADDRESS.fullmatch(value)), None)
        words = {name: value for name, value in form.fields.items() if not is_machinery(name)}
        digest = blake2b(msgspec.json.encode(words, order="deterministic"), digest_size=16).hexdigest()
        draft = Drafter(self._instance, request, "form").interaction(
            f"form:{digest}",
            "message",
            digest,
            None,
            Author("customer", address),
            identities=identities_of_address(address, vouched_for=False),
            text=written,
            attachments=form.attachments,
        )
        return [draft]

    def _found(self, form: PostedForm, option: str) -> dict[str, str]:
        """The filled-in fields of a kind: the one that the option names, else those with a usual name."""
        named = self._instance.options.get(option)
        filled = {name: value for name, value in form.fields.items() if value.strip()}
        names = (named,) if named else names_of(option, filled)
        return {name: filled[name] for name in names if name in filled}

    def _other_words(self, form: PostedForm) -> str:
        """A form without a message field: its other answers, or its subject alone."""
        known = {name for option in USUAL_NAMES for name in self._found(form, option)}
        others = {
            name: value.strip()
            for name, value in form.fields.items()
            if name not in known and value.strip() and not is_machinery(name)
        }
        if any(name in known for name in form.fields) and others:
            return "\n".join(f"{name}: {value}" for name, value in others.items())
        return "\n".join(value.strip() for value in self._found(form, "subject_field").values())


class FormProof:
    """The token in a header, or in the hidden field; then from an allowed page, where any is named."""

    def __init__(self, instance: Instance) -> None:
        """Take the tokens.

        Raises:
            ValueError: there is none, or the address of the thanks cannot be one.
        """
        self._tokens = KnownTokens(instance.tokens)
        self._header = SharedSecret(instance.tokens)
        self._instance = instance
        thanks = instance.options.get("thanks_url", "/")
        if not thanks.startswith(("https://", "http://", "/")) or not thanks.isprintable() or " " in thanks:
            raise ValueError(f"thanks_url: {thanks!r} is no address")

    def verify(self, request: WebhookRequest) -> Verdict:
        """By the header where there is one, else by the field."""
        if tokens_shown(request):
            return self._header.verify(request)
        form = read_form(request)
        token = form.fields.get(TOKEN_FIELD) if isinstance(form, PostedForm) else None
        verdict = self._tokens.judge([token] if token else [])
        if verdict.genuine and allowed_origins(self._instance) and not is_allowed(self._instance, request):
            return Verdict("bad_origin")
        return verdict


def may_be_posted(instance: Instance, request: WebhookRequest, verdict: Verdict) -> ProviderAnswer | None:  # noqa: ARG001
    """`OPTIONS` of a page that posts by script."""
    return preflight(instance, request)


def thanks(instance: Instance, request: WebhookRequest) -> ProviderAnswer | None:
    """A person in a browser is sent to the page of thanks, or thanked here; a script gets JSON."""
    if "text/html" in (request.headers.get("accept") or ""):
        url = instance.options.get("thanks_url")
        return ProviderAnswer(303, headers={"Location": url}) if url else ProviderAnswer(200, THANKS, "text/html")
    headers = shared_with(instance, request)
    return ProviderAnswer(200, b'{"received": true}', "application/json", headers) if headers else None


FORM = ConnectorKind(
    id="form",
    title="Posts of a plain web form",
    normaliser=FormPosts,
    verifier=FormProof,
    handshake=may_be_posted,
    receipt=thanks,
    options=ORIGINS_OPTION
    | {
        "email_field": "the field with the address, if its name is unusual",
        "message_field": "the field with the message, if its name is unusual",
        "name_field": "the field with the name, if its name is unusual",
        "subject_field": "the field with the subject, if its name is unusual",
        "honeypot_field": "a field that people do not see: a post that fills it in is ignored",
        "thanks_url": "where the browser goes after a post; default: a line of thanks",
    },
    setup=(
        '<form method="post" action="https://<your host>/in/form">\n'
        '  <input type="hidden" name="careline_token" value="<token>">\n'
        '  <input name="honeypot" tabindex="-1" autocomplete="off" style="display:none">\n'
        '  <input name="email" type="email"> <input name="subject"> <textarea name="message"></textarea>\n'
        "Servers that pass a form on set the header X-Careline-Token instead of the hidden field."
    ),
)
