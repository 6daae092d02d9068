"""The end of a mail, and the line endings that could hide a second one."""

import itertools
import random

import pytest

from mailcordon.adapters.smtp.mail_data import LONGEST_KEPT_LINE, BareLineEnding, MailData

MOST = 1_000_000


def read(*chunks: bytes) -> tuple[bytes, bytes | None]:
    """The mail, and what follows it."""
    data = MailData(MOST)
    rest = None
    for number, chunk in enumerate(chunks):
        rest = data.add(chunk)
        if rest is not None:
            rest += b"".join(chunks[number + 1 :])
            break
    return b"".join(data.pieces), rest


def test_the_first_line_with_only_a_dot_ends_the_mail() -> None:
    assert read(b"a: b\r\n\r\nhello\r\n.\r\nQUIT\r\n") == (b"a: b\r\n\r\nhello\r\n", b"QUIT\r\n")
    assert read(b".\r\n") == (b"", b"")
    assert read(b"hello\r\n") == (b"hello\r\n", None)
    assert read(b"hello\r\n.") == (b"hello\r\n", None)


def test_added_dots_are_taken_away_and_no_others() -> None:
    assert read(b"..\r\n..a\r\na..b\r\n.c\r\n...\r\n.\r\n") == (b".\r\n.a\r\na..b\r\nc\r\n..\r\n", b"")


def test_a_mail_is_the_same_however_it_is_cut_into_packets() -> None:
    whole = b"a: b\r\n\r\n..dot\r\n\r\n....\r\nend\r\n.\r\nRSET\r\n"
    expected = read(whole)
    chosen = random.Random(7)
    cuts = [[n] for n in range(1, len(whole))] + [
        sorted(chosen.sample(range(1, len(whole)), 5)) for _ in range(300)
    ]
    for places in [*cuts, list(range(1, len(whole)))]:
        edges = [0, *places, len(whole)]
        assert read(*(whole[a:b] for a, b in itertools.pairwise(edges))) == expected, places


#: What programs have taken for the end of a mail (SMTP smuggling), and other line endings that are not CR LF.
SMUGGLED = (
    *(b"\n.\n", b"\n.\r\n", b"\r\n.\n", b"\r.\r", b"\r.\r\n", b"\r\n.\r", b"\n.\r", b"\r.\n", b"\n\n.\r\n"),
    *(b"\r\r\n.\r\n", b"\r\n.\r\r\n", b"\r\n\r.\r\n", b"\n", b"\r", b"\r\r\n", b"\n\r\n", b"\x00\n.\n"),
)


@pytest.mark.parametrize("sequence", SMUGGLED)
def test_a_cr_or_lf_alone_is_refused_wherever_a_packet_ends(sequence: bytes) -> None:
    whole = b"a: b\r\n\r\nhello" + sequence + b"MAIL FROM:<x@y.example>\r\n.\r\n"
    for cut in range(1, len(whole)):
        with pytest.raises(BareLineEnding):
            read(whole[:cut], whole[cut:])
    with pytest.raises(BareLineEnding):
        read(*(bytes([byte]) for byte in whole))


def test_an_lf_alone_is_refused_at_once_and_not_when_its_line_ends() -> None:
    with pytest.raises(BareLineEnding):
        MailData(MOST).add(b"hello\nworld")
    with pytest.raises(BareLineEnding):
        MailData(MOST).add(b"hello\rworld")


def test_a_mail_that_is_too_large_is_forgotten_and_read_to_its_end() -> None:
    data = MailData(MOST)
    line = b"x" * 70 + b"\r\n"
    for _ in range(2 * MOST // len(line)):
        assert data.add(line) is None
    assert data.too_large
    assert not data.pieces
    assert data.add(b".\r\nQUIT\r\n") == b"QUIT\r\n"


def test_a_line_without_an_end_is_not_kept() -> None:
    data = MailData(100 * MOST)
    for _ in range(1000):
        assert data.add(b"x" * 1000) is None
    assert data.too_large
    assert data.add(b"\r") is None
    assert data.add(b"\n.\r\n") == b""
    data = MailData(100 * MOST)
    assert data.add(b"x" * LONGEST_KEPT_LINE + b"\r") is None
    assert data.add(b"\n.\r\n") == b""
    data = MailData(100 * MOST)
    data.add(b"x" * (LONGEST_KEPT_LINE + 1) + b"\r")
    with pytest.raises(BareLineEnding):
        data.add(b".\r\n.\r\n")
