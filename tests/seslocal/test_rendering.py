"""Templates are read and filled in as SES does it, and what a stranger's template asks for is bounded."""

from __future__ import annotations

import contextlib
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from seslocal.mail.rendering import filling, reading


def filled(template: str, **data: Any) -> str:
    return filling.fill(reading.read(template), data)


@pytest.mark.parametrize(
    ("template", "data", "text"),
    [
        ("Hi {{name}}, {{{name}}}, {{&name}}", {"name": "<Kim>"}, "Hi <Kim>, <Kim>, <Kim>"),
        ("{{a.b}} {{a/b}} {{a.[c d].0}} {{this.a.b}}", {"a": {"b": 1, "c d": [5]}}, "1 1 5 1"),
        ("{{yes}} {{n}} {{f}}", {"yes": True, "n": 2, "f": 1.5}, "true 2 1.5"),
        ("{{l}} {{o}}", {"l": [1, "b"], "o": {"k": 1}}, "[1, b] {k=1}"),
        ("{{#if a}}A{{else if b}}B{{else}}C{{/if}}", {"b": 1}, "B"),
        ("{{#if a}}A{{else}}C{{/if}}{{#unless a}}D{{/unless}}", {}, "CD"),
        ("{{#if a}}A{{/if}}", {"a": []}, ""),
        ("{{#each xs}}{{@index}}{{#if @last}}.{{else}},{{/if}}{{/each}}", {"xs": [7, 8]}, "0,1."),
        ("{{#each xs}}{{a}}{{../n}}{{n}}{{@root.n}};{{/each}}", {"xs": [{"a": 1}], "n": "N"}, "1NNN;"),
        ("{{#each xs as |x i|}}{{i}}={{x}} {{/each}}", {"xs": ["a", "b"]}, "0=a 1=b "),
        ("{{#each m}}{{@key}}={{this}} {{/each}}", {"m": {"a": 1, "b": 2}}, "a=1 b=2 "),
        ("{{#each xs}}x{{else}}none{{/each}}", {"xs": []}, "none"),
        ("{{#with m}}{{a}}{{/with}}{{#m}}{{a}}{{/m}}{{^no}}not{{/no}}", {"m": {"a": 1}}, "11not"),
        ("{{lookup m k}}{{#each xs}}{{lookup ../m this}}{{/each}}", {"m": {"a": 1}, "k": "a", "xs": ["a"]}, "11"),
        ('{{#* inline "r"}}[{{x}}]{{/inline}}{{> r x=1}}{{> r}}{{#m}}{{> r}}{{/m}}', {"x": 2, "m": {"x": 3}}, "[1][2][3]"),
        ('{{#* inline "p"}}{{a}}{{/inline}}{{> p m}}{{> (lookup this "which") m}}', {"m": {"a": 4}, "which": "p"}, "44"),
        ("a {{~n~}} b", {"n": 1}, "a1b"),
        (r"\{{n}} \\{{n}}", {"n": 1}, r"{{n}} \1"),
        ("{{! not this }}x{{!-- {{nor}} this --}}y", {}, "xy"),
        ("a { b } {c} {}", {}, "a { b } {c} {}"),
        ("line\n{{#if a}}\nin\n{{/if}}\n", {"a": 1}, "line\n\nin\n\n"),
    ],
)  # fmt: skip
def test_it_renders(template: str, data: dict[str, Any], text: str) -> None:
    assert filled(template, **data) == text


@pytest.mark.parametrize(
    "template", ["{{name}}", "{{a.name}}", "{{#each name}}x{{/each}}", "{{#with name}}{{/with}}"]
)
def test_what_the_data_does_not_have_fails_by_name(template: str) -> None:
    with pytest.raises(
        filling.RenderingError, match=r"Attribute '(a\.)?name' is not present in the rendering data\."
    ):
        filled(template, a={})


@pytest.mark.parametrize(
    ("template", "why"),
    [
        ("{{#if a}}", "'if' is not closed"),
        ("x\n{{/if}}", "line 2: found '{{/if}}' where no block is open"),
        ("{{#if a}}{{/each}}", "found '{{/each}}' where '{{/if}}' was expected"),
        ("{{#if a}}{{else}}{{else}}{{/if}}", "a second else"),
        ("{{#if}}x{{/if}}", "'if' takes one value"),
        ("{{name", "a tag is not closed"),
        ("{{}}", "a tag is empty"),
        ("{{{name}}", "'{{{' needs '}}}'"),
        ("{{upper name}}", "could not find helper: 'upper'"),
        ("{{#list xs}}{{/list}}", "could not find helper: 'list'"),
        ("{{#* inline name}}{{/inline}}", "a partial is made by"),
        ("{{a (b c)}}", "of helpers inside helpers only"),
        ("{{a=1}}", "a tag is empty"),
        ("{{#a}}" * 65, "more than 64 blocks"),
        ("{{#if a}}x" + "{{else if a}}x" * 70 + "{{/if}}", "more than 64 blocks"),
    ],
)
def test_what_cannot_be_read_says_where_and_why(template: str, why: str) -> None:
    with pytest.raises(reading.TemplateError) as caught:
        reading.read(template)
    assert why in str(caught.value)


def test_a_partial_that_calls_itself_ends() -> None:
    with pytest.raises(filling.RenderingError, match="More than 32 partials"):
        filled('{{#* inline "p"}}{{> p}}{{/inline}}{{> p}}')


def test_lists_inside_lists_end_after_so_many_steps() -> None:
    template = "{{#each a}}" * 4 + "x" + "{{/each}}" * 4
    with pytest.raises(filling.RenderingError, match="steps"):
        filled(template.replace("{{#each a}}", "{{#each @root.a}}"), a=list(range(50)))


def test_the_output_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(filling, "MOST_OUTPUT", 1000)
    with pytest.raises(filling.RenderingError, match="longer than 1000"):
        filled("{{#each xs}}{{@root.t}}{{/each}}", xs=[1] * 101, t="x" * 10)


TAGS = "{{ }} {{#if a}} {{/if}} {{else}} {{#each a}} {{/each}} {{{ }}} a ../ @index ~ ( ) | as [ ] 1"
PIECES = [*TAGS.split(" "), "{{> p}}", '{{#* inline "p"}}', "{{/inline}}", "\\", '"', "=", "\n"]


@given(st.lists(st.sampled_from(PIECES) | st.text(max_size=3), max_size=14).map("".join))
def test_any_text_is_read_or_refused_and_filled_or_failed(template: str) -> None:
    with contextlib.suppress(reading.TemplateError, filling.RenderingError):
        filled(template, a=[1, {"a": "b"}])
