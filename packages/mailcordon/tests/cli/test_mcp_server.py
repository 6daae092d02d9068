"""The MCP server with the SDK's client in one process: who is asked before something changes. On a running system:
scenarios/test_mcp.py.
"""

import json
import re
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import mcp.types as types
import pytest
from mcp import Client
from mcp.client.session import ClientRequestContext

from mailcordon.adapters.mcp.pending import Pending
from mailcordon.adapters.mcp.ports import Document, Query
from mailcordon.adapters.mcp.server import Tools, build

WANTED = {"tenant": "acme", "type": "newsletter", "because": "complaints rise"}
Reply = Callable[[str], types.ElicitResult]


class Api:
    """Answers a preview, and notes every change."""

    url = "http://127.0.0.1"

    def __init__(self) -> None:
        self.changes: list[str] = []

    async def get(self, path: str, query: Query | None = None) -> Document:
        raise AssertionError(path)

    async def preview(self, body: Mapping[str, Any]) -> Document:
        return {"effect": f"Holds {body['type']}.", "untouched": "all else"}

    async def change(self, method: str, path: str, body: Mapping[str, Any] | None) -> Document:
        self.changes.append(f"{method} {path}")
        return {}


def typed(form: str) -> types.ElicitResult:
    code = re.findall("type ([A-Z]{6}) below", form)[-1]
    return types.ElicitResult(action="accept", content={"code": code})


async def proposed(tools: Tools, mode: str, reply: Reply) -> dict[str, Any]:
    async def answer(context: ClientRequestContext, params: types.ElicitRequestParams) -> types.ElicitResult:
        return reply(params.message)

    async with Client(build(tools), mode=mode, elicitation_callback=answer) as client:
        (content,) = (await client.call_tool("propose_hold", WANTED)).content
    assert isinstance(content, types.TextContent)
    return json.loads(content.text)["data"]


@pytest.mark.parametrize("mode", ["legacy", "auto"])
async def test_unless_it_is_told_to_no_server_asks_in_the_client_or_acts(tmp_path: Path, mode: str) -> None:
    """The client fills in every form."""
    api = Api()
    found = await proposed(Tools(api, Pending(tmp_path), None), mode, typed)
    assert (found["state"], api.changes) == ("waiting", [])


@pytest.mark.parametrize("mode", ["legacy", "auto"])
async def test_a_form_confirms_only_by_its_own_code_and_when_it_is_sent(tmp_path: Path, mode: str) -> None:
    api, forms = Api(), list[str]()

    def old_one(form: str) -> types.ElicitResult:
        forms.append(form)
        return typed(forms[0])

    replies: list[Reply] = [
        lambda _: types.ElicitResult(action="decline"),
        lambda _: types.ElicitResult(action="cancel"),
        lambda _: types.ElicitResult(action="accept"),
        lambda _: types.ElicitResult(action="accept", content={"code": "AAAAAA"}),
        lambda form: types.ElicitResult(action="decline", content=typed(form).content),
        lambda form: types.ElicitResult(action="cancel", content=typed(form).content),
        lambda form: (forms.append(form), types.ElicitResult(action="decline"))[1],
        old_one,
    ]
    tools = Tools(api, Pending(tmp_path), api)
    for number, reply in enumerate(replies):
        assert (await proposed(tools, mode, reply))["code"] == "not-confirmed", number
        assert api.changes == [], number
    assert (await proposed(tools, mode, typed))["state"] == "done"
    assert api.changes == ["POST /v1/holds"]
    assert (await proposed(tools, mode, lambda _: types.ElicitResult(action="decline")))[
        "code"
    ] == "not-confirmed"
    assert (await proposed(tools, mode, typed))["code"] == "too-many"  # the eleventh form in a few minutes
    assert api.changes == ["POST /v1/holds"]


async def test_without_actions_there_is_no_tool_to_act_with(tmp_path: Path) -> None:
    async with Client(build(Tools(Api(), None, None))) as client:
        names = [tool.name for tool in (await client.list_tools()).tools]
        found = await client.call_tool("propose_hold", WANTED)
    assert "status" in names
    assert not [name for name in names if name.startswith("propose")]
    assert found.is_error
    assert not (tmp_path / "mcp-actions").exists()
