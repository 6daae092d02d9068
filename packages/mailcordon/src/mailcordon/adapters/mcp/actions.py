"""The actions that an assistant may propose: what each asks of the API, and what a person reads before it is carried out.

An action is its name and its arguments. Its consequences are asked of the API when they are shown, so that a person confirms what
is true then, not what was true when it was proposed.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated, Any, Literal

import msgspec
from msgspec import Meta

from mailcordon.adapters.mcp.arguments import Arguments, Number, Slug, Type
from mailcordon.adapters.mcp.ports import Changer, Document, Reader, Refused
from mailcordon.adapters.mcp.reading import path
from mailcordon.core import text
from mailcordon.messages import holds as hold_messages
from mailcordon.messages import mcp as messages

_PAGE = 200  #: open holds, or releases, that are looked through

Because = Annotated[
    str,
    Meta(
        min_length=3,
        max_length=600,
        description="Why: one line. The person reads it, and it is audited with their name.",
    ),
]


@dataclass(frozen=True, slots=True)
class Step:
    """One change that the API is asked for."""

    method: str
    path: str
    body: Document | None = None


class Action(Arguments):
    because: Because

    def title(self) -> str:
        """What it does, in a few words."""
        raise NotImplementedError

    async def consequences(self, api: Reader) -> list[str]:
        """What it would do now, as sentences. Raises Refused if it cannot be done."""
        raise NotImplementedError

    def steps(self, because: str) -> list[Step]:
        """`because`: the reason as the audit trail has it."""
        raise NotImplementedError


class Hold(Action):
    """Propose to hold (cordon) mail of a tenant, or the named part of it. Held mail is kept until its own expiry."""

    tenant: Slug
    type: (
        Annotated[str, Meta(max_length=64, description="Only this message type. Not with class.")] | None
    ) = None
    class_: Literal["urgent", "transactional", "marketing"] | None = msgspec.field(name="class", default=None)
    provider: (
        Annotated[str, Meta(max_length=32, description="Only mail to this mailbox provider.")] | None
    ) = None
    campaign: Annotated[str, Meta(max_length=256, description="Only mail of this campaign.")] | None = None
    list_: Annotated[str, Meta(max_length=256, description="Only mail to this list or import.")] | None = (
        msgspec.field(name="list", default=None)
    )
    until_minutes: (
        Annotated[
            int,
            Meta(
                ge=1,
                le=43_200,
                description="Lift it after so many minutes. Default: it stays until it is lifted.",
            ),
        ]
        | None
    ) = None

    def _target(self) -> Document:
        given = {
            "tenant": self.tenant,
            "type": self.type,
            "class": self.class_,
            "provider": self.provider,
            "campaign": self.campaign,
            "list": self.list_,
        }
        return {name: value for name, value in given.items() if value is not None}

    def title(self) -> str:
        narrowed: dict[str, str] = self._target()
        slug = narrowed.pop("tenant")
        if "class" in narrowed:
            narrowed["class_"] = narrowed.pop("class")
        return messages.hold(mail=hold_messages.mail_of(slug, **narrowed))

    async def consequences(self, api: Reader) -> list[str]:
        return _told(await api.preview({**self._target(), "action": "cordon"}))

    def steps(self, because: str) -> list[Step]:
        body: Document = {**self._target(), "because": because}
        if self.until_minutes is not None:
            body["until_seconds"] = self.until_minutes * 60
        return [Step("POST", path("holds"), body)]


class Lift(Action):
    """Propose to lift holds of a tenant, by their numbers, as the tool holds lists them. Mail leaves if nothing else stops it."""

    tenant: Slug
    holds: Annotated[list[Number], Meta(min_length=1, max_length=5, description="Numbers of open holds.")]

    def title(self) -> str:
        return messages.lift(ids=self.holds, tenant=self.tenant)

    async def consequences(self, api: Reader) -> list[str]:
        found = await api.get(path("holds"), {"tenant": self.tenant, "open": "true", "limit": _PAGE})
        by_id = {one.get("id"): one for one in _items(found)}
        said: list[str] = []
        for number in self.holds:
            one = by_id.get(number)
            if one is None:
                raise Refused(messages.no_open_hold(number=number, tenant=self.tenant), "no-such-hold")
            said.append(
                messages.hold_lifted(number=number, by=str(one.get("by")), because=str(one.get("because")))
            )
            target = {name: one[name] for name in _TARGET if one.get(name) is not None}
            said += _told(await api.preview({**target, "action": "uncordon", "owner": one.get("owner")}))
        return list(dict.fromkeys(said))

    def steps(self, because: str) -> list[Step]:
        return [
            Step(
                "POST", path("holds", "lift"), {"tenant": self.tenant, "ids": self.holds, "because": because}
            )
        ]


class Throttle(Action):
    """Propose to slow a lane down to a rate below its own rate now. To stop it, propose a hold."""

    tenant: Slug
    type: Type
    rate: Annotated[float, Meta(ge=0.001, le=1_000_000, description="Mails per second.")]

    def title(self) -> str:
        return messages.throttle(tenant=self.tenant, type=self.type, rate=self.rate)

    async def consequences(self, api: Reader) -> list[str]:
        lane = await api.get(path("tenants", self.tenant, "lanes", self.type))
        own = lane.get("own_rate")
        if isinstance(own, int | float) and own <= self.rate:
            raise Refused(messages.not_slower(now=own, rate=self.rate), "not-slower")
        now = messages.no_own_rate() if own is None else messages.a_second(rate=float(own))
        backlog: Document = lane.get("backlog") or {}
        return [
            messages.throttle_effect(now=now, rate=self.rate, waiting=int(backlog.get("deliveries") or 0))
        ]

    def steps(self, because: str) -> list[Step]:
        body = {"rate": self.rate, "because": because}
        return [Step("PATCH", path("tenants", self.tenant, "lanes", self.type), body)]


class _OfIncident(Action):
    incident: Annotated[int, Meta(ge=1, le=2**53, description="The incident's number.")]

    async def consequences(self, api: Reader) -> list[str]:
        found = await api.get(path("incidents", str(self.incident)))
        item: Document = found.get("incident") or {}
        return [messages.about_incident(number=self.incident, detail=str(item.get("detail"))), self.effect()]

    def effect(self) -> str:
        raise NotImplementedError

    def _noted(self, because: str) -> Step:
        return Step("POST", path("incidents", str(self.incident), "notes"), {"text": because})


class Acknowledge(_OfIncident):
    """Propose to acknowledge an incident: alerts about it are not sent again. The reason goes into its timeline."""

    def title(self) -> str:
        return messages.acknowledge(number=self.incident)

    def effect(self) -> str:
        return messages.acknowledge_effect()

    def steps(self, because: str) -> list[Step]:
        return [self._noted(because), Step("POST", path("incidents", str(self.incident), "acknowledge"))]


class Note(_OfIncident):
    """Propose a note for an incident's timeline. The reason is the note."""

    def title(self) -> str:
        return messages.note(number=self.incident)

    def effect(self) -> str:
        return messages.note_effect()

    def steps(self, because: str) -> list[Step]:
        return [self._noted(because)]


class Accept(Action):
    """Propose to accept a decision of the breaker: what it holds goes on, and what it saw counts as normal for the lane."""

    decision: Annotated[int, Meta(ge=1, le=2**53, description="The decision's number.")]

    def title(self) -> str:
        return messages.accept(number=self.decision)

    async def consequences(self, api: Reader) -> list[str]:
        found = await api.get(path("breaker", "decisions", str(self.decision)))
        said = [str(found[name]) for name in ("seen", "done", "touched") if found.get(name)]
        return [*said, messages.accept_effect()]

    def steps(self, because: str) -> list[Step]:
        return [
            Step("POST", path("breaker", "decisions", str(self.decision), "accept"), {"because": because})
        ]


class OpenRelease(Action):
    """Propose to let all of a batch that leaves in steps leave now (the tool releases lists them)."""

    tenant: Slug
    release: Annotated[int, Meta(ge=1, le=2**31, description="The release's number.")]

    def title(self) -> str:
        return messages.open_release(number=self.release, tenant=self.tenant)

    async def consequences(self, api: Reader) -> list[str]:
        found = await api.get(path("releases"), {"tenant": self.tenant, "open": "true", "limit": _PAGE})
        for one in _items(found):
            if one.get("id") == self.release:
                return [str(one.get("sentence")), messages.open_effect()]
        raise Refused(messages.no_release(number=self.release, tenant=self.tenant), "no-such-release")

    def steps(self, because: str) -> list[Step]:
        return [Step("POST", path("releases", str(self.release), "open"), {"because": because})]


#: Name of each tool that proposes, in the order in which an assistant sees them.
ACTIONS: Mapping[str, type[Action]] = {
    "propose_hold": Hold,
    "propose_lift": Lift,
    "propose_throttle": Throttle,
    "propose_acknowledge": Acknowledge,
    "propose_note": Note,
    "propose_accept": Accept,
    "propose_open_release": OpenRelease,
}
_TARGET = ("tenant", "type", "class", "provider", "campaign", "list")


def checked(action: Action) -> None:
    """Raises Refused if its reason could be read as another one."""
    try:
        text.reason(action.because)
    except ValueError as error:
        raise Refused(messages.bad_arguments(why=f"because {error}"), "bad-arguments") from None


async def carry_out(action: Action, api: Changer, *, client: str, where: str) -> None:
    """Asks the API for the change. `client` and `where`: for the audit trail. Raises Refused."""
    because = messages.through(because=action.because.strip(), client=text.harmless(client, 60), where=where)
    for step in action.steps(because):
        await api.change(step.method, step.path, step.body)


def _told(preview: Document) -> list[str]:
    return [str(preview.get("effect")), messages.left_alone(mail=str(preview.get("untouched")))]


def _items(found: Document) -> list[dict[str, Any]]:
    return found.get("items") or []
