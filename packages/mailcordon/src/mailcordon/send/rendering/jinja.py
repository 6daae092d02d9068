"""The dialect `jinja`: minijinja with fuel, with an error for every value that is missing, and with no loader.

What a part's name ends with says how values are escaped in it: `.html` escapes, `.txt` does not. A template sees its data and its
own parts, nothing else: the data is parsed JSON, so no value has methods of Python.
"""

import re
from collections.abc import Mapping
from typing import Any, Final, cast

import minijinja

from mailcordon.core.rendering_fault import RenderingFault
from mailcordon.core.template import OWN_PARTS, Source
from mailcordon.messages import templates

FUEL: Final = 200_000  #: instructions of each of subject, text and HTML; minijinja counts long texts too
#: Functions that show or keep what is no part of the data.
_REMOVED: Final = ("debug", "cycler", "joiner")
#: The recipient's link, in whose place each recipient's own is put at the call (send/texts.py).
_PROVIDED: Final = {"unsubscribe_url": "{{unsubscribe_url}}"}
_OUT_OF_FUEL: Final = "OutOfFuel"
_MISSING: Final = re.compile(r"`([^`\n]{1,200})` is undefined")
_CAUSE: Final = re.compile(
    r"^caused by: (?P<problem>.*) \(in (?P<name>[^\n:]+):(?P<line>\d+)\)$", re.MULTILINE
)
_LONGEST: Final = 500  #: characters of what minijinja says, which may quote data


class _Null(Exception):
    """A template prints a null."""


class Template:
    """A parsed version. Raises RenderingFault for a source that is not well-formed."""

    def __init__(self, source: Source, html: str | None) -> None:
        """`html` is the source of the HTML: the version's own, or what its MJML became."""
        sources = {"subject.txt": source.subject, "text.txt": source.text, "html.html": html, **source.parts}
        self._mjml = source.mjml
        self._sources = {name: text for name, text in sources.items() if text is not None}
        self._environment = self._loaded("strict")

    def _loaded(self, undefined: str) -> minijinja.Environment:
        environment = _environment(undefined)
        for name, text in self._sources.items():
            try:
                environment.add_template(name, text)
            except minijinja.TemplateError as error:
                raise self._fault(error, name) from None
        return environment

    def render(self, data: Mapping[str, Any]) -> tuple[str, str | None, str | None]:
        """Subject, text and HTML. Raises RenderingFault."""
        subject, text, html = (self._part(name, {**_PROVIDED, **data}) for name in OWN_PARTS)
        assert subject is not None
        return subject, text, html

    def _part(self, name: str, data: Mapping[str, Any]) -> str | None:
        if name not in self._sources:
            return None
        try:
            found = self._environment.render_template(name, **data)
        except minijinja.TemplateError as error:
            raise self._fault(error, name) from None
        except _Null:
            raise self._null(name, data) from None
        except (TypeError, ValueError, OverflowError) as error:  # a value that the language cannot hold
            raise RenderingFault(self._shown(name), str(error)) from None
        # minijinja escapes slashes too, which needs no reader and makes links that those who rewrite them may not know.
        return found.replace("&#x2f;", "/") if name == "html.html" else found

    def _null(self, name: str, data: Mapping[str, Any]) -> RenderingFault:
        """Without its nulls the data has no value where one was printed, and this error has a place."""
        try:
            self._loaded("semi_strict").render_template(name, **_without_nulls(dict(data)))
        except minijinja.TemplateError as error:
            found = self._fault(error, name)
            if found.variable is None:
                return found
            problem = templates.prints_null(found.variable)
            return RenderingFault(found.part, problem, line=found.line, variable=found.variable)
        except Exception:  # noqa: S110 - the template printed another null: the fault has no place then
            pass
        return RenderingFault(self._shown(name), templates.prints_null(None))

    def _fault(self, error: minijinja.TemplateError, name: str) -> RenderingFault:
        where, line, problem = error.name or name, error.line, error.detail or error.message
        kind = error.kind
        for cause in _CAUSE.finditer(str(error)):  # of an include; the last one is the first that went wrong
            where, line, kind, problem = cause["name"], int(cause["line"]), None, cause["problem"]
        missing = _MISSING.search(problem)
        if kind == _OUT_OF_FUEL or problem.startswith("engine ran out of fuel"):
            problem = templates.too_many_steps(FUEL)
        elif missing is not None:
            problem = templates.variable_missing(missing[1])
        variable = None if missing is None else missing[1]
        if where == "html.html" and self._mjml is not None:
            line = self._line_in_mjml(error, variable)
        return RenderingFault(self._shown(where), problem[:_LONGEST], line=line, variable=variable)

    def _line_in_mjml(self, error: minijinja.TemplateError, variable: str | None) -> int | None:
        """The error's line is one of the HTML, which nobody wrote."""
        mjml, place, source = self._mjml or "", error.range, error.template_source
        code = (
            "" if place is None or source is None else source.encode()[slice(*place)].decode(errors="replace")
        )
        found = next((at for one in (variable, code) if one and (at := mjml.find(one)) >= 0), None)
        return None if found is None else mjml.count("\n", 0, found) + 1

    def _shown(self, name: str) -> str:
        """A source as its owner names it."""
        if name == "html.html" and self._mjml is not None:
            return "mjml"
        return name.partition(".")[0] if name in OWN_PARTS else name


def _environment(undefined: str) -> minijinja.Environment:
    environment = minijinja.Environment(fuel=FUEL, finalizer=_not_null, keep_trailing_newline=True)
    environment.undefined_behavior = cast(Any, undefined)  # its types do not have semi_strict
    for name in _REMOVED:
        environment.remove_global(name)
    return environment


def _not_null(value: object) -> object:
    """A mail that says "Dear None" is an accident."""
    if value is None:
        raise _Null
    return value


def _without_nulls(value: Any) -> Any:
    if isinstance(value, dict):
        members = cast("dict[str, Any]", value).items()
        return {key: _without_nulls(one) for key, one in members if one is not None}
    if isinstance(value, list):
        return [_without_nulls(one) for one in cast("list[Any]", value)]
    return value
