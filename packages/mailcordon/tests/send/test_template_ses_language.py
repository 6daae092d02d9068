"""SES's template language: as seslocal renders it, with the line of an error, and bounded."""

import itertools

import pytest

from mailcordon.core.rendering_fault import RenderingFault
from mailcordon.send.rendering.ses import render_ses
from seslocal.rendering import parser, renderer, scanner

DATA = {
    "name": "Kim & <Jo>",
    "empty": "",
    "no": False,
    "zero": 0,
    "price": 3.5,
    "user": {"name": "Jo", "empty": {}, "address": {"city": "Ulm"}},
    "items": [{"name": "tea", "n": 2}, {"name": "cup", "n": 0}],
    "words": ["a", "b"],
    "none": None,
    "a key": "spaced",
    "nothing": [],
}
PIECES = (
    "{{name}}", "{{{name}}}", "{{&name}}", "{{user.name}}", "{{user/name}}", "{{user.address.city}}", "{{price}}", "{{no}}",
    "{{words}}", "{{user}}", "{{words.[1]}}", "{{words.length}}", "{{[a key]}}", "{{nope}}", "{{none}}", "{{user.nope}}",
    "{{lookup user 'name'}}", "{{lookup words 1}}", "{{helper name}}", '{{"x"}}', "{{3}}", "{{this.name}}", "{{@root.name}}",
    "{{amazonSESUnsubscribeUrl}}", "{{! a comment }}", "{{!-- a }} b --}}", "\\{{name}}", "\\\\{{name}}", " {{~name~}} x",
    "{{name", "{{#if name}}y{{/if}}", "{{#if empty}}y{{else}}n{{/if}}", "{{#if nope}}y{{else if user}}u{{else}}n{{/if}}",
    "{{#if user.empty}}y{{/if}}", "{{#unless zero}}n{{/unless}}", "{{#unless name}}n{{else}}y{{/unless}}", "{{^no}}n{{/no}}",
    "{{#each items}}{{@index}}{{name}}{{../price}}{{#unless @last}},{{/unless}}{{/each}}",
    "{{#each nothing}}x{{else}}none{{/each}}", "{{#each user.address}}{{@key}}={{this}}{{/each}}",
    "{{#each words as |w i|}}{{w}}{{i}}{{/each}}", "{{#each words}}{{.}}{{/each}}", "{{#each nope}}x{{/each}}",
    "{{#with user}}{{name}}{{price}}{{/with}}", "{{#with nope}}x{{else}}n{{/with}}", "{{#items}}{{name}}{{/items}}",
    "{{#user}}{{name}}{{/user}}", "{{#nope}}x{{/nope}}", '{{#* inline "p"}}[{{name}}{{x}}]{{/inline}}{{> p x=price}}',
    "{{> p}}", '{{#* inline "p"}}{{this}}{{/inline}}{{> p words}}', "{{#if name}}", "{{/if}}", "{{else}}", "{{#if}}x{{/if}}",
    "{{#each items}}{{/if}}", "{{}}", "{{a b=}}", "{{(}}", "{{#if (lookup user 'name')}}y{{/if}}",
    "{{#each items}}{{#if n}}{{n}}{{else}}-{{/if}}{{@first}}{{/each}}", "{{../name}}",
    "{{#with items.[0]}}{{../user.name}}{{/with}}", "text }} {", "{{'it\\'s'}}",
)  # fmt: skip


def ours(template: str) -> str | None:
    try:
        return render_ses(template, None, None, DATA).subject
    except RenderingFault:
        return None


def local(template: str) -> str | None:
    try:
        return renderer.render({"subject": parser.parse(template)}, DATA)["subject"]
    except (scanner.TemplateError, renderer.RenderingError):
        return None


def test_it_renders_as_the_local_ses_does():
    rendered = 0
    for pair in itertools.chain(((one,) for one in PIECES), itertools.product(PIECES, repeat=2)):
        template = " ".join(pair)
        found = ours(template)
        assert (template, found) == (template, local(template))
        rendered += found is not None
    assert rendered > 1500


def test_nothing_is_escaped():
    assert render_ses("{{name}}", "{{name}}", "<p>{{name}}", DATA) == (
        "Kim & <Jo>",
        "Kim & <Jo>",
        "<p>Kim & <Jo>",
    )


@pytest.mark.parametrize(
    ("html", "line", "variable"),
    [
        ("\n\n{{nope}}", 3, "nope"),
        ("\n{{#each items}}\n{{user.nope}}{{/each}}", 3, "user.nope"),
        ("\n{{#if name}}", 2, None),
        ("{{!\n\n}}\n{{/if}}", 4, None),
        ("\n{{name", 2, None),
        ("\n{{#if name}}\n{{/each}}", 3, None),
    ],
)
def test_an_error_has_its_line(html: str, line: int, variable: str | None):
    with pytest.raises(RenderingFault) as caught:
        render_ses("x", "{{name}}", html, DATA)
    assert (caught.value.part, caught.value.line, caught.value.variable) == ("html", line, variable)


def test_bombs_end():
    deep: object = "x"
    for _ in range(200):
        deep = [deep]
    data = {"deep": deep, "many": ["x"] * 20_000, "long": "y" * 100_000}
    for html in (
        "{{#each many}}{{#each ../many}}{{this}}{{/each}}{{/each}}",
        "{{#each many}}{{../long}}{{/each}}",
        "{{#if many}}" * 1000 + "{{/if}}" * 1000,
        "{{#if x}}" + "{{else if x}}" * 1000 + "{{/if}}",
        "{{" + "(" * 2000 + "many" + ")" * 2000 + "}}",
        '{{#* inline "p"}}{{> p}}{{/inline}}{{> p}}',
        "{{deep}}",
        "{{#each many}}{{../many}}{{/each}}",
        "{{" + "x" * 5000 + "}}",
        "".join(f'{{{{#* inline "p{number}"}}}}x{{{{/inline}}}}' for number in range(5000)),
    ):
        with pytest.raises(RenderingFault):
            render_ses("x", None, html, data)
    for html in ("{" * 200_000, "{{!" * 50_000, "\\" * 100_000 + "{{", "{{~" * 10_000):
        ours(html)
