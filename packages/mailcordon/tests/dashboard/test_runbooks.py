"""Runbooks as pages: each kind has one, their links lead to runbooks, and their text is no HTML."""

import re

import pytest

from mailcordon.adapters.dashboard.pages import runbooks
from mailcordon.core import runbooks as shipped
from mailcordon.core.incident import Kind


@pytest.mark.parametrize("kind", [None, *Kind])
def test_a_runbook_is_shown_whole(kind: Kind | None) -> None:
    text = shipped.text(kind)
    html = runbooks.html(text)
    assert html.count("<h2>") == len(re.findall(r"^## ", text, re.M))
    assert html.count("<pre>") == len(re.findall(r"^\s*```sh", text, re.M))
    assert set(re.findall(r'href="([^"]*)"', html)) <= {f"/runbooks/{one}" for one in Kind}
    assert "](" not in html


def test_the_list_leads_to_every_runbook() -> None:
    html = runbooks.html(shipped.text())
    assert set(re.findall(r'href="/runbooks/([^"]*)"', html)) == set(Kind)


def test_what_is_no_runbook_is_named_and_no_link() -> None:
    assert "the breaker (docs/breaker.md)" in runbooks.html("[the breaker](../breaker.md#levels)")
    assert "SES (docs/concepts/ses.md)" in runbooks.html("[SES](../concepts/ses.md)")
    assert "<script>" not in runbooks.html("<script>alert(1)</script>")
