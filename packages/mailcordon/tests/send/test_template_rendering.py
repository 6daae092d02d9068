"""Templates in our own language: what comes out, what is escaped, and what an error names."""

import contextlib
import json
import os
from html import unescape
from pathlib import Path

import pytest

from mailcordon.core.rendering_fault import RenderingFault
from mailcordon.core.template import JINJA, Source
from mailcordon.send.rendering import engine

NAUGHTY = (
    Path(os.environ.get("MAILCORDON_SHARED") or "/nonexistent") / "data/robustness/naughty_strings.jsonl"
)
MJML = """<mjml><mj-body><mj-section><mj-column>
<mj-text>Dear {{ name }}</mj-text>
<mj-raw>{% for one in bought %}</mj-raw><mj-text>{{ one }}</mj-text><mj-raw>{% endfor %}</mj-raw>
<mj-button href="{{ url }}">Pay</mj-button>
</mj-column></mj-section></mj-body></mjml>"""


def source(*, subject: str = "Your receipt", **sources) -> Source:
    return Source(subject=subject, **sources)


def rendered(data: dict | None = None, **sources):
    made = source(**sources)
    template = engine.parse(made, engine.compile(made))
    return engine.render(template, data or {}, derive=made.dialect == JINJA)


def fault(data: dict | None = None, **sources) -> RenderingFault:
    with pytest.raises(RenderingFault) as caught:
        rendered(data, **sources)
    return caught.value


def test_html_is_escaped_and_subject_and_text_are_not():
    data = {"name": "<Jo & Kim>"}
    found = rendered(data, subject="For {{ name }}", text="Dear {{ name }}", html="<p>Dear {{ name }}")
    assert found == ("For <Jo & Kim>", "Dear <Jo & Kim>", "<p>Dear &lt;Jo &amp; Kim&gt;")


def test_a_part_is_escaped_by_its_own_name():
    parts = {"name.html": "<b>{{ name }}</b>", "name.txt": "*{{ name }}*"}
    found = rendered(
        {"name": "<"}, text="{% include 'name.txt' %}", html="{% include 'name.html' %}", parts=parts
    )
    assert found[1:] == ("*<*", "<b>&lt;</b>")


@pytest.mark.parametrize(
    ("html", "data", "line", "name"),
    [
        ("\n\n{{ user.name }}", {}, 3, "user"),
        ("\n{{ user.name }}", {"user": {}}, 2, "user.name"),
        ("{% if nope %}{% endif %}", {}, 1, "nope"),
        ("{% for one in user.bought %}{% endfor %}", {"user": {}}, 1, "user.bought"),
        ("{{ user.price * 2 }}", {"user": {}}, 1, "user.price"),
    ],
)
def test_a_missing_value_is_an_error_with_line_and_name(html: str, data: dict, line: int, name: str):
    found = fault(data, html=html)
    assert (found.part, found.line, found.variable) == ("html", line, name)
    assert found.sentence("receipt@3") == f"template receipt@3, html, line {line}: {name} is not in the data"


@pytest.mark.parametrize("html", ["\n{{ user.name }}", "{% if user.name %}x{% endif %}\n{{ user.name }}"])
def test_a_null_that_is_printed_is_an_error_with_line_and_name(html: str):
    found = fault({"user": {"name": None}}, html=html)
    assert (found.part, found.line, found.variable) == ("html", 2, "user.name")
    assert "user.name is null in the data" in found.sentence("receipt@3")


def test_a_value_that_a_template_asks_for_may_be_missing_or_null():
    html = "{% if name is defined %}x{% endif %}{{ other or 'customer' }}{{ third|default('y') }}"
    assert rendered({"other": None}, html=html).html == "customery"


def test_an_error_in_an_included_part_names_the_part_and_its_line():
    found = fault(
        html="\n\n\n{% include 'a.html' %}",
        parts={"a.html": "{% include 'b.html' %}", "b.html": "\n{{ nope }}"},
    )
    assert (found.part, found.line, found.variable) == ("b.html", 2, "nope")


def test_data_cannot_forge_the_place_of_an_error():
    """minijinja's long form of an error shows the data below it."""
    forged = "\ncaused by: nothing (in subject.txt:7)\n"
    found = fault({"user": forged}, html="\n{{ user }}{{ nope }}")
    assert (found.part, found.line) == ("html", 2)


def test_data_adds_no_header_by_the_subject():
    for name in ("Jo\r\nBcc: kim@example.com", "Jo\nx", "Jo\u2028x", "Jo\0"):
        found = fault({"name": name}, subject="For {{ name }}", text="x")
        assert (found.part, found.problem[:34]) == ("subject", "the rendered subject contains a li")


def test_a_template_sees_its_data_and_its_parts_only():
    for html in ("{% include '/etc/passwd' %}", "{% import 'os' as os %}", "{{ debug() }}", "{{ lipsum() }}"):
        fault(html=html)
    for html in ("{{ name.__class__ }}", "{{ name.upper.__globals__ }}", "{{ self.__init__ }}"):
        fault({"name": "x"}, html=html)


def test_text_is_derived_from_html_where_none_is_given():
    html = '<p>Dear {{ name }},</p><p>please <a href="https://shop.example/?a=1&amp;b=2">pay</a>.</p>'
    assert rendered({"name": "A&B"}, html=html).text == (
        "Dear A&B,\n\nplease pay (https://shop.example/?a=1&b=2)."
    )
    assert rendered({"name": "x"}, html=html, text="own").text == "own"


def test_the_place_of_the_unsubscribe_link_stays_for_the_call():
    html = '<a href="{{ unsubscribe_url }}">Unsubscribe</a>'
    place = "{{unsubscribe_url}}"
    assert rendered(html=html)[1:] == (f"Unsubscribe ({place})", f'<a href="{place}">Unsubscribe</a>')
    own = rendered({"unsubscribe_url": "https://acme.example/u?a&b"}, html=html)
    assert own.html == '<a href="https://acme.example/u?a&amp;b">Unsubscribe</a>'


def test_mjml_becomes_html_once_and_is_filled_for_each_message():
    compiled = engine.compile(source(mjml=MJML))
    assert compiled is not None
    assert "{% for one in bought %}" in compiled
    assert "<mj-" not in compiled
    found = rendered({"name": "A&B", "bought": ["tea", "<b>"], "url": 'https://x/?"a'}, mjml=MJML)
    assert found.html is not None
    assert "Dear A&amp;B" in found.html
    assert "&lt;b&gt;" in found.html
    assert 'href="https://x/?&quot;a"' in found.html
    assert found.text == 'Dear A&B\ntea\n<b>\nPay (https://x/?"a)'


def test_mjml_that_becomes_more_html_than_a_message_may_have_is_refused():
    everywhere = f"<mj-attributes><mj-all css-class='{'a' * 2000}' /></mj-attributes>"
    found = fault(
        mjml=f"<mjml><mj-head>{everywhere}</mj-head><mj-body>{'<mj-section></mj-section>' * 900}</mj-body></mjml>"
    )
    assert (found.part, found.problem) == ("mjml", "it becomes more than 1,048,576 characters of HTML")


def test_mjml_reads_nothing_from_a_disk_or_the_network():
    for path in ("/etc/hostname", "file:///etc/hostname", "http://127.0.0.1:9/x", "x.mjml"):
        found = fault(mjml=f"<mjml><mj-body><mj-include path='{path}' /></mj-body></mjml>")
        assert (found.part, found.problem[:31]) == ("mjml", "mj-include is not available: no")


def test_an_error_in_mjml_has_the_line_of_the_mjml():
    found = fault({"name": "x", "bought": []}, mjml=MJML)
    assert (found.part, found.line, found.variable) == ("mjml", 4, "url")


def test_what_is_not_well_formed_is_refused_when_it_is_stored():
    for sources in (
        {"html": "{% if %}"},
        {"html": "x", "text": "{{ a"},
        {"html": "x", "parts": {"a.html": "{% endfor %}"}},
        {"mjml": "<mjml><mj-bod"},
        {"html": "{{ " + "(" * 5000 + ")" * 5000 + "}}"},
        {"html": "{% if a %}" * 5000 + "{% endif %}" * 5000},
        {"html": "{{#if a}}", "dialect": "ses"},
    ):
        with pytest.raises(RenderingFault):
            engine.compile(source(**sources))


def test_loops_long_texts_and_recursion_end():
    for html in (
        "{% for a in range(9999) %}{% for b in range(9999) %}{% endfor %}{% endfor %}",
        "{{ 'x' * 100000000 }}",
        "{% set n = namespace(x='x' * 100) %}{% for i in range(40) %}{% set n.x = n.x ~ n.x %}{% endfor %}",
        "{{ 'aaaa'|replace('a', 'b' * 1000)|replace('b', 'c' * 1000) }}",
        "{% macro m() %}{{ m() }}{% endmacro %}{{ m() }}",
        "{% include 'html.html' %}",
    ):
        assert fault(html=html).part == "html"


def test_output_is_bounded_and_never_empty():
    assert "longer than" in fault({"x": "y" * 600_000}, html="{{ x }}", text="{{ x }}").problem
    assert fault(html="<p>x", subject="{% if false %}x{% endif %}").problem == "it came out empty"
    assert fault(html="{% if false %}x{% endif %}").problem == "it came out empty"


@pytest.mark.skipif(not NAUGHTY.exists(), reason="MAILCORDON_SHARED names no data")
def test_naughty_strings_come_out_as_they_went_in_and_as_templates_never_fail_but_with_a_fault():
    for line in NAUGHTY.read_text().splitlines():
        text = json.loads(line)["s"]
        for dialect in ("jinja", "ses"):
            found = rendered({"name": text}, dialect=dialect, text="{{ name }}", html="<p>{{ name }}</p>")
            assert found.text == text
            escaped = (found.html or "").removeprefix("<p>").removesuffix("</p>")
            assert (unescape(escaped) if dialect == "jinja" else escaped) == text
            for subject, body in (("x", text or "x"), (text or "x", "x")):
                with contextlib.suppress(RenderingFault):
                    rendered(dialect=dialect, subject=subject, text=body, html=body)
