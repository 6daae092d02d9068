"""The mails that every client sends: what apps send, and what mail code gets wrong."""

from dataclasses import asdict, dataclass, field
from typing import Any, Final

#: A PNG of one pixel.
PIXEL: Final = (
    "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg=="
)
FULL: Final = 5_000_000  #: bytes of the large attachment
SHORT: Final = 300_000  #: in the suite; more than what is taken on the hot path


@dataclass(frozen=True, slots=True)
class Person:
    address: str
    name: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Mail:
    name: str
    to: tuple[Person, ...]
    sender: str = "Acme"  #: name in From
    cc: tuple[Person, ...] = ()
    bcc: tuple[Person, ...] = ()
    subject: str = "Hello"
    text: str = "Hello.\n"
    html: str = ""
    inline: str = ""  #: Content-ID of a picture that the HTML shows
    attachment: int = 0  #: bytes
    references: tuple[str, ...] = field(default=())

    def json(self, domain: str, marker: str) -> dict[str, Any]:
        """For a program: with the sender's domain, and a mark in the subject by which the mail is found."""
        return {
            **asdict(self),
            "from": f"a@{domain}",
            "subject": f"{self.subject} {marker}/{self.name}",
            "pixel": PIXEL,
        }


def all_of(attachment: int) -> tuple[Mail, ...]:
    kim = Person("kim@example.com")
    return (
        Mail(name="text", to=(kim,), text="Dear Kim,\n\nthree lines, .\n.\n.. and dots.\n\nFrom here on\n"),
        Mail(
            name="picture",
            to=(kim,),
            text="A picture.\n",
            html='<p>A picture: <img src="cid:pixel@acme"></p>\n',
            inline="pixel@acme",
        ),
        Mail(name="attachment", to=(kim,), text="Your invoice.\n", attachment=attachment),
        Mail(
            name="cc-and-bcc",
            to=(kim, Person("lee@example.com", "Lee")),
            cc=(Person("pat@example.com", "Pat"),),
            bcc=(Person("boss@example.com"),),
            html="<p>Hello.</p>\n",
        ),
        Mail(
            name="names",
            to=(Person("kim@example.com", "Zoë Ünlü"),),
            cc=(Person("lee@example.com", "山田, 太郎"),),
            sender="Grüße, Acme 😀",
            subject="Grüße – 請求書 😀",
            text="Grüße – 請求書 😀\n",
        ),
        Mail(
            name="references",
            to=(kim,),
            references=tuple(f"<{n:032x}@mail.acme.example>" for n in range(15)),
        ),
    )
