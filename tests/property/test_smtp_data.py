"""The end of a mail by SMTP: found in any pieces, by nothing but a dot alone between true line ends."""

from hypothesis import example, given
from hypothesis import strategies as st

from streams.connectors.mail.smtp_data import END_OF_MAIL, MailData

CONTENTS = st.lists(st.sampled_from([b"\r", b"\n", b"\r\n", b".", b"..", b"x", b"\r\n."]), max_size=30).map(b"".join)
SIZES = st.lists(st.integers(1, 7), min_size=1, max_size=80)


def stuffed(content: bytes) -> bytes:
    """As a client sends it: a dot before every line that begins with one, then the end."""
    whole = (b"\r\n" + content + (b"" if content.endswith(b"\r\n") or not content else b"\r\n")).replace(
        b"\r\n.", b"\r\n.."
    )
    return whole[2:] + b".\r\n"


def received(sent: bytes, sizes: list[int]) -> tuple[bytes, bytes | None]:
    data, content = MailData(), b""
    place = turn = 0
    while place < len(sent) and data.behind is None:
        size = sizes[turn % len(sizes)]
        content += data.feed(sent[place : place + size])
        place, turn = place + size, turn + 1
    return content, None if data.behind is None else data.behind + sent[place:]


@given(CONTENTS, SIZES)
@example(b"", [1])
@example(b"\r\n", [1])
@example(b".", [3])
def test_a_mail_arrives_as_it_was_in_any_pieces(content: bytes, sizes: list[int]) -> None:
    arrived, behind = received(stuffed(content) + b"QUIT\r\n", sizes)

    assert arrived == content + (b"" if content.endswith(b"\r\n") or not content else b"\r\n")
    assert behind == b"QUIT\r\n"


@given(CONTENTS, SIZES)
def test_nothing_but_a_dot_between_true_line_ends_ends_it(content: bytes, sizes: list[int]) -> None:
    ends = END_OF_MAIL in b"\r\n" + content

    assert (received(content, sizes)[1] is not None) == ends
