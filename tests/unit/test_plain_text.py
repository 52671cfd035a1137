"""HTML as text: lines where blocks are, and no markup can make it fail."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from streams.connectors.plain_text import plain_text


@pytest.mark.parametrize(
    ("html", "expected"),
    [
        ("It is <b>broken</b>&nbsp;again &amp; again", "It is broken again & again"),
        ("<p>Hello</p><p>World</p>", "Hello\n\nWorld"),
        ("<div><div>Hello</div>\n</div>", "Hello"),
        ("one<br>two<br/><br/>three", "one\ntwo\n\nthree"),
        ("<ul><li>a</li><li>b</li></ul>", "- a\n- b"),
        ("<table><tr><td>a</td><td>b</td></tr></table>", "a b"),
        ("<style>p {}</style><script>x()</script>seen", "seen"),
        ('fine <emoji id="smile" alt="🙂"></emoji>', "fine 🙂"),
        ("a < b and 1 <2", "a < b and 1 <2"),
        ("", ""),
    ],
)
def test_what_the_reader_sees(html: str, expected: str) -> None:
    assert plain_text(html) == expected


@given(
    st.lists(st.sampled_from(["<", ">", "</", "<!", "<![", "<!--", "&", "&#", ";", "p", "script", "\x00", "]]>", " "]))
)
def test_no_markup_makes_it_fail(pieces: list[str]) -> None:
    assert isinstance(plain_text("".join(pieces)), str)
