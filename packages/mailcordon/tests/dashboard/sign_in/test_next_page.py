"""Where the sign-in leads: to pages of ours, whatever a link asks for."""

import pytest

from mailcordon.adapters.dashboard.sign_in.next_page import FIRST, own_path


@pytest.mark.parametrize(
    "target", ["/", "/now", "/tenants/acme/lanes/newsletter?x=1&y=a%20b", "/messages?q=kim@example.com"]
)
def test_a_page_of_ours_is_gone_on_to(target: str):
    assert own_path(target) == target


@pytest.mark.parametrize(
    "target",
    [
        "",
        "now",
        "https://evil.example",
        "//evil.example",
        "///evil.example",
        "/\\evil.example",
        "\\\\evil.example",
        "/a\\..\\evil.example",
        "/\t/evil.example",
        "/\n/evil.example",
        "/\x00/evil.example",
        " //evil.example",
        "javascript:alert(1)",
        "/sign-out",
        "/sign-in/link/x",
        "/" + "a" * 2000,
    ],
)
def test_anything_else_leads_to_the_first_page(target: str):
    assert own_path(target) == FIRST
