"""The grammar of a mail: what Python's email package writes is accepted, and Simple, Raw and SES v1 read alike. Pure."""

from __future__ import annotations

import email.policy
import email.utils
from collections.abc import Callable
from email.header import Header
from email.headerregistry import Address
from email.message import EmailMessage
from email.mime.text import MIMEText

from hypothesis import assume, example, given, settings
from hypothesis import strategies as st

from seslocal.errors import ApiError
from seslocal.mail import headers
from seslocal.mail.address import mailbox
from seslocal.mail.content import Letter, read_letter, read_message
from seslocal.state.settings import Behaviour

BEHAVIOUR = Behaviour()
UNHURRIED = settings(deadline=None, max_examples=60)  #: the machine may be busy
SENDER = "no-reply@mail.acme.example"
ATOM = "abcXYZ019!#$%&'*+-/=?^_`{|}~"
LABEL = st.text("abcXYZ019", min_size=1, max_size=8)
DOMAINS = st.lists(LABEL, min_size=1, max_size=3).map(".".join)
LOCALS = st.lists(st.text(ATOM, min_size=1, max_size=8), min_size=1, max_size=3).map(".".join)
QUOTED = st.text([chr(code) for code in range(0x20, 0x7F)], min_size=1, max_size=20)
ASCII_NAMES = st.text([chr(code) for code in range(0x20, 0x7F)], max_size=40)
NAMES = st.text(st.characters(codec="utf-8", exclude_categories=("C", "Zl", "Zp")), max_size=30)
#: what has a meaning in addresses, close together
ODD = st.text('ab.@,;<>()[]\\" \t:=?é', max_size=24)


def written(name: str, value: str) -> bytes:
    return f"{name}: {value}\r\n".encode()


def raw(head: bytes) -> Letter:
    return read_message(written("From", SENDER) + head + b"Subject: s\r\n\r\nt", BEHAVIOUR)


def simple(sender: str, to: str) -> Letter:
    message = {"Subject": {"Data": "s"}, "Body": {"Text": {"Data": "t"}}}
    call = {
        "FromEmailAddress": sender,
        "Destination": {"ToAddresses": [to]},
        "Content": {"Simple": message},
    }
    return read_letter(call, BEHAVIOUR)


@UNHURRIED
@given(ASCII_NAMES, QUOTED, DOMAINS)
@example("Kim, Chan", "k im", "x.example")
@example('a "b" \\', 'k"i\\m', "x.example")
def test_every_address_that_python_writes_in_ascii_is_accepted(name: str, local: str, domain: str) -> None:
    # Python does not quote for a dot alone: what it writes then is no address (RFC 5322 3.4.1).
    assume(not local.startswith(".") and not local.endswith(".") and ".." not in local)
    one = Address(display_name=name, username=local, domain=domain)
    read = mailbox(str(one))
    assert read.address == one.addr_spec
    assert simple(str(one), str(one)).recipients == (one.addr_spec,)


@UNHURRIED
@given(NAMES, LOCALS, DOMAINS)
@example("Müller, Jörg <x@y>", "a", "b")
def test_every_encoded_name_is_accepted(name: str, local: str, domain: str) -> None:
    address = f"{local}@{domain}"
    for one in (
        f"{Header(name, 'utf-8').encode(linesep='')} <{address}>",
        email.utils.formataddr((name, address)),
    ):
        assume(all(len(word) <= 75 for word in one.split()))  # formataddr writes a long name as one word
        assume(len(one) <= 318)
        assert mailbox(one).address == address
        assert raw(written("To", one)).recipients == (address,)


@UNHURRIED
@given(NAMES, LOCALS, DOMAINS, NAMES)
def test_a_message_that_python_writes_is_read_as_it_was_meant(
    name: str, local: str, domain: str, subject: str
) -> None:
    address = f"{local}@{domain}"
    old = MIMEText("tëxt", "plain", "utf-8")
    old["From"] = f"{Header(name, 'utf-8').encode()} <{address}>"
    old["To"], old["Subject"] = address, Header(subject, "utf-8").encode()
    assume(len(old["From"]) <= 318)
    letter = read_message(old.as_bytes(policy=email.policy.SMTP), BEHAVIOUR)
    assert (letter.senders, letter.recipients) == ((address.lower(),), (address,))
    assert letter.subject.split() == subject.split()  # folding may add a space between words


@UNHURRIED
@given(ASCII_NAMES, LOCALS, DOMAINS)
def test_multiparts_that_python_writes_have_their_boundaries(name: str, local: str, domain: str) -> None:
    made = EmailMessage(policy=email.policy.SMTP)
    made["From"] = Address(display_name=name, username=local, domain=domain)
    made["To"] = [Address("x, y", "a", "b.example"), Address("", "c", "d.example")]
    made.set_content("text")
    made.add_alternative("<p>html", subtype="html")
    made.add_attachment(b"\x00\xff" * 500, maintype="application", subtype="octet-stream", filename="a.bin")
    letter = read_message(made.as_bytes(), BEHAVIOUR)
    assert letter.recipients == ("a@b.example", "c@d.example")


@UNHURRIED
@given(ODD | st.tuples(NAMES, LOCALS, DOMAINS).map(lambda one: f"{one[0]} <{one[1]}@{one[2]}>"))
@example("a <b@c> d")
@example("(a) b@c (d)")
@example("b@c,")
@example("a,:")
@example('"a\tb" <b@c>')
def test_what_raw_accepts_simple_and_v1_read_alike(text: str) -> None:
    """SES v1 is read by the same two functions. A list is not one mailbox, a group is not, and nothing is an empty list."""
    whole = outcome(lambda: raw(written("To", text)))
    one = outcome(lambda: simple(SENDER, text))
    if isinstance(one, str):
        assert one in (whole, "Illegal address") or not text.strip()
    else:
        assert one == whole == outcome(lambda: raw(written("Cc", text)))
    if not isinstance(whole, str) and len(whole) == 1 and ":" not in text:
        assert one == whole


def outcome(read: Callable[[], Letter]) -> tuple[str, ...] | str:
    """The recipients, or why it is refused."""
    try:
        return read().recipients
    except ApiError as error:
        return error.message


@UNHURRIED
@given(st.binary(max_size=60).filter(lambda value: not set(value) & set(b"\r\n")))
@example(b"\xff\xfe=?utf-8?q?x?=\xc3\xa9")
@example("é=E9".encode())
def test_no_byte_of_a_value_is_lost(value: bytes) -> None:
    shown = headers.text(value)
    shown.encode()  # it has no lone surrogate
    back = b""
    for index, part in enumerate(shown.split("=?unknown-8bit?q?")):
        word, closed, rest = part.partition("?=") if index else ("", "", part)
        back += bytes.fromhex(word.replace("=", "")) + rest.encode()
        assert not index or closed
    assume(b"unknown-8bit" not in value)
    assert back == value


def test_many_megabytes_of_full_lines_are_accepted() -> None:
    body = (b"x" * 997 + b"\r\n") * 20_000
    letter = read_message(written("From", SENDER) + written("To", SENDER) + b"\r\n" + body, BEHAVIOUR)
    assert letter.size > 19_000_000
