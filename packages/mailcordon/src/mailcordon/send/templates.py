"""A message whose content comes from a template: it is rendered before it is checked, and a template that fails refuses this
message alone, before anything is stored."""

from collections.abc import Callable, Hashable
from dataclasses import dataclass
from typing import Protocol

from mailcordon.core.errors import Fault, Invalid
from mailcordon.core.rendering_fault import RenderingFault
from mailcordon.core.template import Reference, Rendered, Source, Version, label
from mailcordon.messages import templates
from mailcordon.send.submission import Submission


@dataclass(frozen=True, slots=True, kw_only=True)
class Unrendered:
    type: str
    template: Reference | Source  #: stored, or handed in with the message
    data: bytes  #: a JSON object
    finish: Callable[
        [Rendered, str | None], Submission
    ]  #: checks the message; gets the version's label, None without one

    @property
    def asked(self) -> bytes:
        """What the message asks for: two messages that ask for the same are the same for their idempotency key."""
        template = self.template
        name = repr(template) if isinstance(template, Source) else f"{template.name}@{template.version or ''}"
        return name.encode() + b"\0" + self.data


class TemplateLookup(Protocol):
    async def find(self, slug: str, reference: Reference) -> Version | None:
        """The tenant's own template, or else the platform's."""
        ...


class Renderer(Protocol):
    async def render(self, owner: Hashable, version: Version, data: bytes, *, keep: bool = True) -> Rendered:
        """`owner` has a turn. `keep`: the version is stored, and its number says what it is. Raises RenderingFault, TooMuch and
        Unavailable."""
        ...


class Rendering:
    def __init__(self, lookup: TemplateLookup, renderer: Renderer) -> None:
        self._lookup = lookup
        self._renderer = renderer

    async def render(self, slug: str, message: Unrendered) -> tuple[Rendered, str | None]:
        """The content, and the label of the version. Raises Invalid, TooMuch and Unavailable."""
        template = message.template
        is_stored = isinstance(template, Reference)
        if isinstance(template, Reference):
            version = await self._lookup.find(slug, template)
            if version is None:
                named = template.name if template.version is None else label(template.name, template.version)
                raise Invalid(Fault("template", templates.unknown(named, slug), "unknown-template"))
        else:
            version = Version(id=0, name=templates.handed_in(), version=0, source=template, compiled=None)
        try:
            content = await self._renderer.render(slug, version, message.data, keep=is_stored)
        except RenderingFault as fault:
            shown = version.label if is_stored else version.name
            raise Invalid(Fault("template", fault.sentence(shown), "rendering")) from None
        return content, version.label if is_stored else None
