"""Renders a version with data: the two dialects, the text that is derived, and what is checked of the outcome."""

from collections.abc import Mapping
from typing import Any, Protocol

from mailcordon.core import text as texts
from mailcordon.core.rendering_fault import RenderingFault
from mailcordon.core.template import JINJA, MOST_OUTPUT, Rendered, Source
from mailcordon.messages import templates
from mailcordon.send.rendering import jinja, mjml, plain_text, ses


class Template(Protocol):
    """A parsed version."""

    def render(self, data: Mapping[str, Any]) -> tuple[str, str | None, str | None]: ...


def compile(source: Source) -> str | None:
    """Checks that the sources are well-formed. Returns the HTML that MJML becomes, None without MJML. Raises RenderingFault."""
    compiled = None if source.mjml is None else mjml.compile(source.mjml)
    if compiled is not None and len(compiled) > MOST_OUTPUT:
        raise RenderingFault("mjml", templates.mjml_too_long(MOST_OUTPUT))
    parse(source, compiled)
    return compiled


def parse(source: Source, compiled: str | None) -> Template:
    """Raises RenderingFault."""
    if source.dialect == JINJA:
        return jinja.Template(source, source.html if compiled is None else compiled)
    return ses.Template(source.subject, source.text, source.html)


def render(template: Template, data: Mapping[str, Any], *, derive: bool = True) -> Rendered:
    """`derive`: makes a text of the HTML where the template has none. Raises RenderingFault."""
    subject, text, html = template.render(data)
    subject = subject.strip()
    if sum(len(one or "") for one in (subject, text, html)) > MOST_OUTPUT:
        raise RenderingFault("html" if html else "text", templates.output_too_long(MOST_OUTPUT))
    if texts.has_control(subject):
        raise RenderingFault("subject", templates.subject_has_line_break())
    if not subject:
        raise RenderingFault("subject", templates.came_out_empty())
    if derive and not text and html:
        text = plain_text.from_html(html) or None
    if not text and not html:
        raise RenderingFault("html" if html is not None else "text", templates.came_out_empty())
    return Rendered(subject, text, html or None)
