"""Templates are parsed and rendered as SES does, and hostile templates are limited."""

from __future__ import annotations

import contextlib
import re
import time
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from seslocal.rendering import parser, renderer, scanner


def filled(template: str, **data: Any) -> str:
    return renderer.render({"Text": parser.parse(template)}, data)["Text"]


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
        ("{{#each no}}x{{else}}none{{/each}}{{#each no}}x{{/each}}", {}, "none"),
        ("{{#with m}}{{a}}{{/with}}{{#with no}}x{{else}}y{{/with}}", {"m": {"a": 1}}, "1y"),
        ("{{#m}}{{a}}{{/m}}{{#xs}}{{this}}{{/xs}}{{^f}}not{{/f}}", {"m": {"a": 1}, "xs": [2, 3], "f": False}, "123not"),
        ("{{xs.0}}{{xs.[1].a}}{{#if (lookup xs 0)}}!{{/if}}", {"xs": ["a", {"a": "b"}]}, "ab!"),
        ("{{#if no.way}}x{{/if}}{{#unless no}}y{{/unless}}{{#if (lookup no 1)}}x{{/if}}", {}, "y"),
        ("{{lookup m k}}{{#each xs}}{{lookup ../m this}}{{/each}}", {"m": {"a": 1}, "k": "a", "xs": ["a"]}, "11"),
        ('{{#* inline "r"}}[{{x}}]{{/inline}}{{> r x=1}}{{> r}}{{#m}}{{> r}}{{/m}}', {"x": 2, "m": {"x": 3}}, "[1][2][3]"),
        ('{{#* inline "p"}}{{a}}{{/inline}}{{> p m}}{{> (lookup this "which") m}}', {"m": {"a": 4}, "which": "p"}, "44"),
        ('{{> p}}{{#* inline "p"}}1{{/inline}}{{#if a}}{{#* inline "p"}}2{{/inline}}{{> p}}{{/if}}{{> p}}', {"a": 1}, "121"),
        ("a {{~n~}} b\n{{~#if n~}} c {{~/if~}} d {{~{n}~}} e", {"n": 1}, "a1bcd1e"),
        ("{{~! x ~}} a {{! y }} b {{!-- z --~}} c", {}, "a  b c"),
        ("{{amazonSESUnsubscribeUrl}}", {}, "{{amazonSESUnsubscribeUrl}}"),
        (r"\{{n}} \\{{n}} \{{n}}", {"n": 1}, r"{{n}} \1 {{n}}"),
        ("{{! not this }}x{{!-- {{nor}} this --}}y", {}, "xy"),
        ("a { b } {c} {}", {}, "a { b } {c} {}"),
        ("line\n{{#if a}}\nin\n{{/if}}\n", {"a": 1}, "line\n\nin\n\n"),
    ],
)  # fmt: skip
def test_templates_render(template: str, data: dict[str, Any], text: str) -> None:
    assert filled(template, **data) == text


@pytest.mark.parametrize(
    "template",
    [
        "{{name}}", "{{a.name}}", "{{null}}", "{{#name}}x{{/name}}", "{{^name}}x{{/name}}", "{{lookup a 'name'}}",
        "{{name 1 x=2}}", "{{#name a}}{{/name}}", "{{#if (name a)}}{{/if}}", "{{#if null}}{{else if (name 1)}}{{/if}}",
    ],
)  # fmt: skip
def test_missing_data_and_unknown_helpers_fail_with_their_name(
    template: str,
) -> None:
    with pytest.raises(renderer.RenderingError) as caught:
        filled(template, a={}, null=None)
    assert re.fullmatch(
        r"Attribute '(a\.|lookup a )?(name|null)' is not present in the rendering data\.", str(caught.value)
    )


@pytest.mark.parametrize(
    ("template", "why"),
    [
        ("{{#if a}}", "'if' is not closed"),
        ("x\n{{/if}}", "line 2: found '{{/if}}' where no block is open"),
        ("{{#if a}}{{/each}}", "found '{{/each}}' where '{{/if}}' was expected"),
        ("{{#if a}}{{else}}{{else}}{{/if}}", "a second else"),
        ("{{#if}}x{{/if}}", "'if' takes a value"),
        ("{{#if a == b}}x{{/if}}", "'== b' is not understood"),
        ("{{name", "a tag is not closed"),
        ("{{}}", "a tag is empty"),
        ("{{{name}}", "a tag is not closed"),
        ("{{!-- name }}", "a tag is not closed"),
        ("{{" + "x" * 4097 + "}}", "a tag is longer than 4096 characters"),
        ("{{#* inline name}}{{/inline}}", "a partial is made by"),
        ("{{a (b c}}", "a parenthesis is not closed"),
        ("{{a b)}}", "')' is not understood"),
        ("{{a " + "(b " * 65 + ")" * 65 + "}}", "'(' is not understood"),
        ("{{a=1}}", "a tag needs a name"),
        ("{{#a}}" * 65, "more than 64 blocks"),
        ("{{#if a}}x" + "{{else if a}}x" * 70 + "{{/if}}", "more than 64 blocks"),
    ],
)
def test_a_syntax_error_has_position_and_reason(template: str, why: str) -> None:
    with pytest.raises(scanner.TemplateError) as caught:
        parser.parse(template)
    assert why in str(caught.value)


DEEP = "{{#a}}" * 60 + "{{> p}}" + "{{/a}}" * 60


@pytest.mark.parametrize(
    ("template", "why"),
    [
        ('{{#* inline "p"}}{{> p}}{{/inline}}{{> p}}', "More than 100 blocks and partials"),
        ('{{#* inline "p"}}' + DEEP + "{{/inline}}{{> p}}", "More than 100 blocks and partials"),
        ("{{#each @root.b}}" * 4 + "x" + "{{/each}}" * 4, "more than 100000 steps"),
        ("{{#if (lookup . b)}}{{/if}}" * 3000, "more than 100000 steps"),
        ("{{#each b}}{{" + "../" * 1300 + "a}}{{/each}}", "more than 100000 steps"),
        ("{{#each b}}{{@root.long}}{{/each}}", "longer than 10485760 characters"),
        ("{{> p}}", "The partial 'p' could not be found."),
    ],
)
def test_templates_beyond_the_limits_fail(template: str, why: str) -> None:
    with pytest.raises(renderer.RenderingError, match=re.escape(why)):
        filled(template, a=[1], b=list(range(100)), long="x" * 110_000)


@pytest.mark.parametrize(
    "template",
    [
        "{{a" * 160_000,
        "{{!--" * 100_000,
        "\\" * 500_000,
        "{{{" + "a}} " * 120_000,
        "{{" + "a " * 250_000 + "}}",
    ],
)
def test_half_a_megabyte_of_malformed_template_is_parsed_quickly(template: str) -> None:
    began = time.process_time()
    with contextlib.suppress(scanner.TemplateError):
        parser.parse(template)
    assert time.process_time() - began < 1


def test_each_part_has_its_own_partials_and_all_share_the_limits() -> None:
    read = parser.parse
    with pytest.raises(renderer.RenderingError, match="The partial 'p' could not be found"):
        renderer.render({"Text": read('{{#* inline "p"}}x{{/inline}}'), "Html": read("{{> p}}")}, {})
    half = read("{{#each xs}}{{#each @root.xs}}x{{/each}}{{/each}}")
    assert len(renderer.render({"Text": half}, {"xs": [1] * 150})["Text"]) == 22_500
    with pytest.raises(renderer.RenderingError, match="steps"):
        renderer.render({"Text": half, "Html": half, "Subject": half}, {"xs": [1] * 150})


TAGS = "{{ }} {{#if a}} {{/if}} {{else}} {{#each a}} {{/each}} {{{ }}} a ../ @index ~ ( ) | as [ ] 1"
PIECES = [*TAGS.split(" "), "{{> p}}", '{{#* inline "p"}}', "{{/inline}}", "\\", '"', "=", "\n"]


@given(st.lists(st.sampled_from(PIECES) | st.text(max_size=3), max_size=14).map("".join))
def test_any_template_renders_or_fails_with_an_error(template: str) -> None:
    with contextlib.suppress(scanner.TemplateError, renderer.RenderingError):
        filled(template, a=[1, {"a": "b"}])
