"""What the two processes say to each other: a length in four bytes, then MessagePack."""

import msgspec

from mailcordon.core.template import Source, Version

LENGTH = 4  #: bytes


class Sources(msgspec.Struct, array_like=True):
    dialect: str
    subject: str
    text: str | None
    html: str | None
    mjml: str | None
    parts: dict[str, str]
    compiled: str | None


class Compile(msgspec.Struct, array_like=True, tag=1):
    sources: Sources


class Render(msgspec.Struct, array_like=True, tag=2):
    key: tuple[int, int]  #: template and version
    data: bytes  #: JSON
    sources: Sources | None  #: None: the other side has them, or answers Unknown
    keep: bool  #: False: rendered once, such as a preview of sources that are not stored


class Compiled(msgspec.Struct, array_like=True, tag=3):
    html: str | None


class Content(msgspec.Struct, array_like=True, tag=4):
    subject: str
    text: str | None
    html: str | None


class Failed(msgspec.Struct, array_like=True, tag=5):
    part: str | None
    problem: str
    line: int | None
    variable: str | None


class Unknown(msgspec.Struct, array_like=True, tag=6):
    """Asks for the sources."""


Request = Compile | Render
Answer = Compiled | Content | Failed | Unknown


def sources(source: Source, compiled: str | None) -> Sources:
    return Sources(
        source.dialect, source.subject, source.text, source.html, source.mjml, dict(source.parts), compiled
    )


def of_version(version: Version) -> Sources:
    return sources(version.source, version.compiled)


def source(found: Sources) -> Source:
    return Source(
        dialect=found.dialect,
        subject=found.subject,
        text=found.text,
        html=found.html,
        mjml=found.mjml,
        parts=found.parts,
    )


def framed(message: Request | Answer) -> bytes:
    body = msgspec.msgpack.encode(message)
    return len(body).to_bytes(LENGTH, "big") + body
