"""The MCP server: lists the tools, checks their arguments, and answers with bounded data (docs/mcp.md).

Without actions it can only read. With actions it can propose them. Whether it may also carry them out, after a person confirmed
in the client's own window, is decided by whether it was given a `Changer`.
"""

import asyncio
import secrets
import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import mcp.types as types
from mcp.server.context import ServerRequestContext
from mcp.server.lowlevel import Server
from mcp.server.stdio import stdio_server

import mailcordon
from mailcordon.adapters.mcp import code as codes
from mailcordon.adapters.mcp import outside_text
from mailcordon.adapters.mcp.actions import ACTIONS, Action, carry_out, checked
from mailcordon.adapters.mcp.arguments import Arguments, parse, schema
from mailcordon.adapters.mcp.pending import MINUTES, MOST_WAITING, Pending
from mailcordon.adapters.mcp.ports import Changer, Document, Reader, Refused
from mailcordon.adapters.mcp.reading import TOOLS
from mailcordon.messages import mcp as messages

Context = ServerRequestContext[Any]
_AT_ONCE = 4  #: questions to the API
_INPUT_REQUIRED = "2026-07-28"  #: from this protocol version on, a server asks by the result of a tool
_CONFIRM = "confirm"
_LONGEST = 400  #: characters of one sentence of a form


class ProposedAction(Arguments):
    """What became of a proposed action: whether it waits, was carried out, or was declined."""

    id: str


@dataclass(frozen=True, slots=True)
class _Asked:
    action: Action
    code: str
    at: float


class Tools:
    """What the server answers. `actions`: where proposals wait; None: it can only read. `changer`: carries them out after a
    person typed the code in the client; None: only a terminal confirms."""

    def __init__(self, api: Reader, actions: Pending | None, changer: Changer | None) -> None:
        self._api = api
        self._pending = actions
        self._changer = changer
        self._turns = asyncio.Semaphore(_AT_ONCE)
        self._asked: dict[str, _Asked] = {}  #: by the state that the client sends back
        self._recently: list[float] = []  #: when a form was shown

    def listed(self) -> list[types.Tool]:
        found = [_tool(name, kind, messages.reads_only(), reads=True) for name, kind in TOOLS.items()]
        if self._pending is not None:
            found += [
                _tool(name, kind, messages.proposes_only(), reads=False) for name, kind in ACTIONS.items()
            ]
            found.append(_tool("proposed_action", ProposedAction, messages.reads_only(), reads=True))
        return found

    async def call(
        self, ctx: Context, params: types.CallToolRequestParams
    ) -> types.CallToolResult | types.InputRequiredResult:
        name = params.name
        try:
            async with self._turns:
                if (read := TOOLS.get(name)) is not None:
                    return self._result(name, await parse(read, params.arguments).ask(self._api))
                if self._pending is not None and name == "proposed_action":
                    wish = self._pending.get(parse(ProposedAction, params.arguments).id)
                    return self._result(name, {"id": wish.id, "state": wish.state, "said": wish.said})
            if self._pending is not None and (kind := ACTIONS.get(name)) is not None:
                action = parse(kind, params.arguments)
                checked(action)
                return await self._propose(ctx, name, action, params, self._pending)
            raise Refused(messages.no_such_tool(name=outside_text.visible(name, 64)), "no-such-tool")
        except Refused as refused:
            return self._result(name, {"refused": refused.sentence, "code": refused.code}, wrong=True)

    async def _propose(
        self, ctx: Context, name: str, action: Action, params: types.CallToolRequestParams, pending: Pending
    ) -> types.CallToolResult | types.InputRequiredResult:
        client = _client(ctx)
        if self._changer is None or not _has_forms(ctx):
            async with self._turns:
                said = await action.consequences(self._api)
            wish = pending.add(name, action, client)
            waits = messages.waits_for_person(id=wish.id, minutes=MINUTES)
            found: Document = {
                "id": wish.id,
                "state": "waiting",
                "would": [action.title(), *said],
                "next": waits,
            }
            return self._result(name, found)
        if ctx.protocol_version >= _INPUT_REQUIRED:
            if params.request_state is not None:
                return await self._answered(name, action, params, client)
            return await self._ask_by_result(action)
        question, code = await self._question(action)
        reply = await ctx.session.elicit_form(question, _form(), ctx.request_id)
        return await self._finish(name, action, reply, code, client)

    async def _ask_by_result(self, action: Action) -> types.InputRequiredResult:
        question, code = await self._question(action)
        state = secrets.token_urlsafe(24)
        self._asked[state] = _Asked(action, code, time.monotonic())
        form = types.ElicitRequestFormParams(message=question, requested_schema=_form())
        return types.InputRequiredResult(
            input_requests={_CONFIRM: types.ElicitRequest(params=form)}, request_state=state
        )

    async def _answered(
        self, name: str, action: Action, params: types.CallToolRequestParams, client: str
    ) -> types.CallToolResult:
        """Each state counts once, for the very action that was shown."""
        asked = self._asked.pop(params.request_state or "", None)
        reply = (params.input_responses or {}).get(_CONFIRM)
        if asked is None or asked.action != action or time.monotonic() - asked.at > MINUTES * 60:
            raise Refused(messages.not_confirmed(), "not-confirmed")
        return await self._finish(name, action, reply, asked.code, client)

    async def _question(self, action: Action) -> tuple[str, str]:
        """The form's text and its code. Raises Refused if people were asked too often."""
        now = time.monotonic()
        self._recently = [at for at in self._recently if now - at < MINUTES * 60]
        if len(self._recently) >= MOST_WAITING:
            raise Refused(messages.too_many_waiting(), "too-many")
        async with self._turns:
            said = await action.consequences(self._api)
        self._recently.append(now)
        code = codes.make()
        lines = [action.title(), *said, messages.reason_of_assistant(because=action.because)]
        shown = "\n".join(outside_text.visible(line, _LONGEST) for line in lines)
        return f"{shown}\n{messages.type_code_in_form(code=code)}", code

    async def _finish(
        self, name: str, action: Action, reply: object, code: str, client: str
    ) -> types.CallToolResult:
        typed = reply.content.get("code") if isinstance(reply, types.ElicitResult) and reply.content else None
        confirmed = (
            isinstance(reply, types.ElicitResult) and reply.action == "accept" and codes.matches(typed, code)
        )
        if self._changer is None or not confirmed:
            raise Refused(messages.not_confirmed(), "not-confirmed")
        async with self._turns:
            await carry_out(action, self._changer, client=client, where=messages.in_client())
        return self._result(name, {"state": "done", "said": messages.done(title=action.title())})

    def _result(self, tool: str, found: Mapping[str, Any], *, wrong: bool = False) -> types.CallToolResult:
        text = outside_text.answer(tool, self._api.url, dict(found))
        return types.CallToolResult(content=[types.TextContent(type="text", text=text)], is_error=wrong)


def _tool(name: str, kind: type[Arguments], ending: str, *, reads: bool) -> types.Tool:
    described = " ".join((kind.__doc__ or "").split())
    return types.Tool(
        name=name,
        description=f"{described} {ending}",
        input_schema=schema(kind),
        annotations=types.ToolAnnotations(
            read_only_hint=reads, destructive_hint=not reads, idempotent_hint=reads, open_world_hint=False
        ),
    )


def _form() -> dict[str, Any]:
    field = {"type": "string", "title": messages.code_field(), "minLength": 1, "maxLength": 20}
    return {"type": "object", "properties": {"code": field}, "required": ["code"]}


def _has_forms(ctx: Context) -> bool:
    found = ctx.session.client_capabilities
    return found is not None and found.elicitation is not None


def _client(ctx: Context) -> str:
    """As the client names itself: a text from outside."""
    params = ctx.session.client_params
    if params is None:
        return messages.unnamed_client()
    return outside_text.visible(f"{params.client_info.name} {params.client_info.version}".strip(), 60)


def build(tools: Tools) -> Server:
    """The SDK's server with these tools."""

    async def list_tools(ctx: Context, params: types.PaginatedRequestParams | None) -> types.ListToolsResult:
        return types.ListToolsResult(tools=tools.listed())

    return Server(
        "mailcordon",
        version=mailcordon.__version__,
        instructions=messages.instructions(),
        on_list_tools=list_tools,
        on_call_tool=tools.call,
    )


async def serve(tools: Tools) -> None:
    """On stdin and stdout, until the client leaves."""
    server = build(tools)
    async with stdio_server() as (incoming, outgoing):
        await server.run(incoming, outgoing, server.create_initialization_options())
