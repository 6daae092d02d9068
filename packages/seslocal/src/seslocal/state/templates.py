"""E-mail templates, as given and parsed."""

from __future__ import annotations

from dataclasses import dataclass

from seslocal.rendering import parser


@dataclass(frozen=True, slots=True)
class Template:
    """The parts of a template, as given and parsed."""

    name: str
    parts: dict[str, str]  #: Subject, Text, Html; those it has
    trees: dict[str, tuple[parser.Node, ...]]


@dataclass(frozen=True, slots=True)
class StoredTemplate(Template):
    arn: str
    created: float
    tags: dict[str, str]
