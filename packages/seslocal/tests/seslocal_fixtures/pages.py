"""Reads the web page as a browser without scripts, and sends what it shows."""

from __future__ import annotations

import http.client
import re
from html import unescape
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from seslocal_fixtures.world import World

NASTY = '<script>alert("x")</script>'


def get(world: World, path: str, **headers: str) -> tuple[int, str, dict[str, str]]:
    connection = http.client.HTTPConnection(world.local.host, world.local.port, timeout=60)
    try:
        connection.request("GET", path, headers=headers)
        answer = connection.getresponse()
        text = answer.read().decode("utf-8", "replace")
        return answer.status, text, {name.lower(): value for name, value in answer.getheaders()}
    finally:
        connection.close()


def mail(world: World, subject: str = "Hi", to: str = "kim@example.com", **more: Any) -> str:
    simple: dict[str, Any] = {"Subject": {"Data": subject}, "Body": {"Text": {"Data": "Hello & welcome"}}}
    simple["Body"] |= more.pop("body", {})
    if attachments := more.pop("attachments", None):
        simple["Attachments"] = attachments
    return world.send(to, Content={"Simple": simple}, **more)


def happen(world: World) -> None:
    """Lets the events of what was sent come."""
    world.admin("PUT", "/clock", {"advance": 60})


def rows(text: str) -> list[str]:
    return [unescape(found) for found in re.findall(r"<span class=subject>(.*?)</span>", text)]
