"""The dashboard as a process of a running system: somebody signs in with a link of the command line, and nothing but pages is
served to the outside."""

import contextlib
import json
import re
import uuid

import httpx
import pytest

from mailcordon_fixtures.systems import System


def signed_in(system: System, person: str, role: str) -> httpx.Client:
    """With the session of a person who used a link that the command line printed."""
    done = system.cli("sign-in", "--person", person, "--role", role)
    assert done.returncode == 0, done.stderr
    [url] = re.findall(r"^  (http\S+)$", done.stdout, re.MULTILINE)
    assert url.startswith(f"{system.dashboard_url}/sign-in/link/")
    client = httpx.Client(base_url=system.dashboard_url)
    shown = client.get(url)
    assert shown.status_code == 200
    fields = dict(re.findall(r'name="([^"]+)" value="([^"]*)"', shown.text))
    used = client.post(url, data=fields)
    assert used.status_code == 303, used.text
    assert client.post(url, data=fields).status_code in (401, 403)  # it works once
    return client


def test_somebody_signs_in_with_a_link_sees_now_and_signs_out(system: System):
    person = f"kim-{uuid.uuid4().hex[:6]}@platform.example"
    with contextlib.closing(signed_in(system, person, "viewer")) as client:
        first = client.get("/")
        assert first.headers["location"] == "/now"
        now = client.get("/now")
        assert now.status_code == 200
        assert person in now.text
        assert client.get("/holds/new").status_code == 403  # who only reads holds nothing
        csrf = re.search(r'name="csrf" value="([^"]+)"', now.text)
        assert csrf is not None
        assert client.post("/sign-out", data={"csrf": csrf[1]}).status_code == 303
        assert client.get("/now").headers["location"].startswith("/sign-in")
    rows = json.loads(system.cli("audit", "list", "--actor", person, "--json").stdout)["items"]
    assert {row["action"] for row in rows} == {"sign-in-link.use", "session.start", "session.sign-out"}


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("POST", "/v1/messages"),
        ("POST", "/v1/messages/batch"),
        ("GET", "/v1/status"),
        ("GET", "/openapi.json"),
    ],
)
def test_it_serves_no_api_and_takes_no_mail_whatever_key_is_shown(system: System, method: str, path: str):
    body = {
        "tenant": "acme",
        "type": "newsletter",
        "from": "hello@news.acme.example",
        "to": ["kim@example.com"],
        "subject": "x",
        "text": "x",
    }
    with httpx.Client(base_url=system.dashboard_url) as client:
        for _ in range(2):  # a key that is known by now is not taken either
            answer = client.request(
                method, path, json=body, headers={"authorization": f"Bearer {system.key}"}
            )
            assert answer.status_code == 404
            assert "openapi" not in answer.text
