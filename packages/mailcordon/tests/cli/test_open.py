"""`mailcordon open` prints the page of a thing."""

import json
import webbrowser
from collections.abc import Callable
from pathlib import Path

import pytest

Run = Callable[..., tuple[int, str, str]]

PAGES = {
    "": "/now",
    "now": "/now",
    "tenant acme": "/tenants/acme",
    "lane acme newsletter": "/tenants/acme/lanes/newsletter",
    "lane acme/newsletter": "/tenants/acme/lanes/newsletter",
    "incident 7": "/incidents/7",
    "message msg_0r4tq2v6k7m8n": "/messages/msg_0r4tq2v6k7m8n",
    "messages": "/messages",
    "to kim+a@example.com": "/messages?to=kim%2Ba%40example.com",
    "campaign a&b": "/messages?campaign=a%26b",
    "ses": "/ses",
    "drift 3": "/ses/drift/3",
    "migration": "/migration",
    "rollout 3": "/migration/rollouts/3",
    "pools": "/pools",
    "audit": "/audit",
    "settings": "/settings",
    "tenant ../../x?y#z": "/tenants/..%2F..%2Fx%3Fy%23z",
}


@pytest.fixture
def known(tmp_path: Path) -> str:
    found = {"url": "http://127.0.0.1:8025", "key": "mck_a_b", "dashboard": "http://127.0.0.1:8026"}
    (tmp_path / "cli.json").write_text(json.dumps(found))
    return str(found["dashboard"])


def test_each_thing_has_its_page(run: Run, known: str) -> None:
    for words, page in PAGES.items():
        assert run("open", *words.split()) == (0, f"{known}{page}\n", ""), words


def test_what_has_no_page_is_refused_with_what_to_write(run: Run, known: str) -> None:
    said = {
        "lanes": "Choose one of now, tenant",
        "incident": "mailcordon open incident NUMBER",
        "incident seven": "named by a number",
        "lane acme": "mailcordon open lane TENANT TYPE",
        "ses acme": "mailcordon open ses`",
    }
    for words, part in said.items():
        code, out, err = run("open", *words.split())
        assert (code, out) == (2, ""), words
        assert part in err


def test_the_environment_names_another_address_and_without_any_it_says_so(
    run: Run, known: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert run("open", "ses", "--url", "http://elsewhere.example")[0] == 5  # the file is about its own server
    monkeypatch.setenv("MAILCORDON_DASHBOARD_URL", "https://mail.example.com/")
    assert run("open", "ses")[1] == "https://mail.example.com/ses\n"
    monkeypatch.setenv("MAILCORDON_DASHBOARD_URL", "nonsense")
    code, _, err = run("open", "ses")
    assert (code, "MAILCORDON_DASHBOARD_URL" in err) == (5, True)


def test_the_browser_is_opened_only_if_asked(run: Run, known: str, monkeypatch: pytest.MonkeyPatch) -> None:
    opened: list[str] = []
    monkeypatch.setattr(webbrowser, "open", lambda url: opened.append(url) or True)  # pyright: ignore[reportUnknownLambdaType]
    run("open", "incident", "7")
    assert opened == []
    code, out, _ = run("open", "incident", "7", "--browser", "--json")
    assert (code, json.loads(out)) == (0, {"url": f"{known}/incidents/7", "opened": True})
    assert opened == [f"{known}/incidents/7"]
