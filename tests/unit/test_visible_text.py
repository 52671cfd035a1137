"""HTML as plain text: lines, lists and quotations as a reader sees them, and no markup that takes long."""

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from streams.connectors.plain_text import looks_like_html, plain_text


@pytest.mark.parametrize(
    ("html", "expected"),
    [
        ("It is <b>broken</b>&nbsp;again &amp; again", "It is broken again & again"),
        ("<p>Hello</p><p>World</p>", "Hello\n\nWorld"),
        ("<div><div>Hello</div>\n</div>World", "Hello\nWorld"),
        ("one<br>two<br/><br/>three", "one\ntwo\n\nthree"),
        ("<ul><li>a</li><li>b</ul>", "- a\n- b"),
        ("<table><tr><td>a</td><td>b</td></tr></table>", "a b"),
        ("<head><title>t</title><style>p {}</style></head><body>seen<script>x()</script></body>", "seen"),
        ("yes<blockquote>old<blockquote>older</blockquote></blockquote>no", "yes\n\n> old\n\n> > older\n\nno"),
        ("<pre>a\n  b</pre>", "a\n  b"),
        ('fine <emoji id="smile" alt="🙂"></emoji>', "fine 🙂"),
        ("a < b and 1 <2", "a < b and 1 <2"),
        ("before <!-- <p>hidden</p> --> after", "before after"),
        ("<![x", "<![x"),
        ("", ""),
    ],
)
def test_what_a_reader_sees(html: str, expected: str) -> None:
    assert plain_text(html) == expected


@pytest.mark.parametrize(
    "piece", ["<!--", "<", "<a", "<a b='", "<?", "</", "<![CDATA[", "<a b='>", "<blockquote>x", "&#", "<p>"]
)
def test_no_markup_takes_long(piece: str) -> None:
    started = time.monotonic()
    plain_text(piece * (200_000 // len(piece)))
    assert time.monotonic() - started < 5.0  # the parser alone takes up to a minute and a half


@given(
    st.lists(
        st.sampled_from(["<", ">", "</", "<!", "<![", "<!--", "-->", "&", "&#", ";", "p", "script", "\x00", " ", "='"])
    )
)
def test_no_markup_makes_it_fail(pieces: list[str]) -> None:
    assert isinstance(plain_text("".join(pieces)), str)


def test_html_is_recognised_by_its_tags() -> None:
    assert looks_like_html("<p>Hello</p>")
    assert looks_like_html("<!DOCTYPE html>")
    assert not looks_like_html("Ada <ada@acme.example> wrote 1 < 2")
