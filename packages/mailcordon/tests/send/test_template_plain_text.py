"""The text that is derived from HTML."""

import pytest

from mailcordon.send.rendering.plain_text import from_html


@pytest.mark.parametrize(
    ("html", "text"),
    [
        ("<p>a<p>b", "a\n\nb"),
        ("<h1>Hi</h1><p>a<br>b</p>", "Hi\n\na\nb"),
        ("a <b>bold</b>, <i>word</i>", "a bold, word"),
        ("<ul><li>a<li>b<ul><li>c</ul></ul>d", "- a\n- b\n  - c\n\nd"),
        ("<ol><li>a</li><li>b</li></ol>", "1. a\n2. b"),
        ("<table><tr><td>tea<td>3 EUR</tr><tr><td>cup<td>5 EUR</table>", "tea 3 EUR\ncup 5 EUR"),
        ('<a href="https://x.example/a">here</a>', "here (https://x.example/a)"),
        ('<a href="https://x.example/a">https://x.example/a</a>', "https://x.example/a"),
        ('<a href="mailto:kim@example.com">kim@example.com</a>', "kim@example.com"),
        ('<a href="https://x.example/"><img src="a.png"></a>', "https://x.example/"),
        ('<a href="#top">up</a> <a href="javascript:x()">run</a>', "up run"),
        ('<img alt="Logo"><p>a', "Logo\n\na"),
        ("<style>p{}</style><script>x</script><title>t</title><p>a", "a"),
        ('<div style="display:none">hidden<p>too</div><p>a', "a"),
        ("<div>a</div><div>b</div>", "a\nb"),
        ("&copy;&nbsp;2026 &lt;x&gt; \u200c\u200c", "© 2026 <x>"),
        ("<pre>a\n  b</pre>", "a\n  b"),
        ("a<hr>b", "a\n" + "-" * 40 + "\nb"),
        ("<!-- no --><![if mso]>x<![endif]>", "x"),
        ("", ""),
        ("<br><br>", ""),
    ],
)
def test_words_links_and_lines_stay(html: str, text: str):
    assert from_html(html) == text


def test_hostile_html_ends():
    for html in (
        *(
            "<div>" * 100_000,
            "<" * 50_000,
            "<a " * 20_000,
            '<a "' * 20_000,
            "<a '" * 20_000 + ">",
            "&#" * 50_000,
        ),
        *(
            "<!--" * 20_000,
            "<![" * 20_000,
            "<li>" * 50_000,
            "<style>" * 20_000,
            "<div hidden>" + "<b></i>" * 50_000,
        ),
        *(
            "<a href=x>" * 20_000 + "x" + "</a>" * 20_000,
            "<p a" + "=a" * 100_000 + ">",
            "<ul>" * 20_000 + "<li>" * 20_000,
        ),
        "<p " + 'a="' * 50_000 + ">",
    ):
        from_html(html)


def test_a_long_address_does_not_end_at_a_bracket():
    assert from_html(f'<img alt="Logo" src="data:{"A" * 20_000}"><p>a') == "Logo\n\na"
    assert from_html('<a title="a > b" href="https://x.example/">x</a>') == "x (https://x.example/)"
