"""Times of the REST routes that pages call, asked within this process as the dashboard does."""

import asyncio
import contextlib
import random
import time
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from dataclasses import dataclass

from bench import search
from bench.search_rows import Filled, address_of
from mailcordon import config as configs
from mailcordon.adapters.http import server
from mailcordon.adapters.http.in_process import InProcess
from mailcordon.app import rest as rests
from mailcordon.app import wiring
from mailcordon.core.principal import ADMIN, OPERATE, READ, Principal
from mailcordon.door.reads import ReadLimits, Reads


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """Milliseconds of one question."""

    name: str
    median: float
    p95: float
    worst: float
    kilobytes: float  #: of the longest answer


Query = Mapping[str, str]
NEVER = 99_999.0  #: ms; it was refused, which is shown with its status
Ask = Callable[[random.Random], tuple[str, Query]]


@contextlib.asynccontextmanager
async def opened(settings: Mapping[str, str]) -> AsyncIterator[InProcess]:
    """The REST API of the installation that these settings name."""
    config = configs.read(settings, "dashboard")
    stop = asyncio.Event()
    installation = await wiring.installation(config, "control")
    async with rests.opened(config, installation, stop) as rest:
        routes = server.application(rest.taking.keys, server.every_route(rest.endpoint, rest.handlers))
        yield InProcess(routes, Reads(ReadLimits(), lambda limit: None))
        stop.set()


def platform() -> Principal:
    return _principal(None, None)


def of_tenant(filled: Filled, lane: int) -> Principal:
    one = filled.lanes[lane]
    return _principal(one.tenant, one.slug)


def _principal(tenant: int | None, slug: str | None) -> Principal:
    return Principal(
        key_id=0, prefix="bench", name="bench", holder="bench", tenant_id=tenant, tenant_slug=slug,
        scopes=frozenset({READ, OPERATE, ADMIN} if tenant is None else {READ}),
    )  # fmt: skip


async def ask(calls: InProcess, who: Principal, name: str, one: Ask, rounds: int) -> Line:
    chance, took, size = random.Random(name), list[float](), 0
    for n in range(rounds + 1):
        path, query = one(chance)
        began = time.perf_counter()
        status, body = await calls.call(who, "GET", path, query, b"")
        if n:  # the first one opens connections and reads pages
            took.append(1000 * (time.perf_counter() - began))
        if status != 200:  # a question that takes too long is answered so: it is a result, and a bad one
            return Line(name=f"{name}: {status}", median=NEVER, p95=NEVER, worst=NEVER, kilobytes=0.0)
        size = max(size, len(body))
    return line(name, took, size)


def line(name: str, took: Sequence[float], size: int) -> Line:
    times = sorted(took)
    return Line(
        name=name,
        median=round(times[len(times) // 2], 1),
        p95=round(times[min(len(times) - 1, int(len(times) * 0.95))], 1),
        worst=round(times[-1], 1),
        kilobytes=round(size / 1024, 1),
    )


def questions(filled: Filled) -> Mapping[str, Ask]:
    """What pages ask, by the route."""

    def lane(chance: random.Random) -> tuple[str, str]:
        one = chance.choice(filled.lanes)
        return one.slug, one.type

    def fixed(path: str, **query: str) -> tuple[str, Ask]:
        shown = path + ("?" + "&".join(f"{name}={value}" for name, value in query.items()) if query else "")
        return shown, lambda _: (path, query)

    def of_tenant(path: str, **query: str) -> tuple[str, Ask]:
        return f"{path} of a tenant", lambda chance: (path, {"tenant": lane(chance)[0], **query})

    def of_slug(end: str) -> tuple[str, Ask]:
        return f"/v1/tenants/SLUG{end}", lambda chance: (f"/v1/tenants/{lane(chance)[0]}{end}", {})

    def of_lane(end: str) -> tuple[str, Ask]:
        def path(chance: random.Random) -> tuple[str, Query]:
            slug, type_ = lane(chance)
            return f"/v1/tenants/{slug}/lanes/{type_}{end}", {}

        return f"/v1/tenants/SLUG/lanes/TYPE{end}", path

    def why(chance: random.Random) -> tuple[str, Query]:
        slug, type_ = lane(chance)
        return "/v1/why", {"of": f"lane {slug}/{type_}"}

    def explained(chance: random.Random) -> tuple[str, Query]:
        address = address_of(chance.randrange(filled.messages))
        return "/v1/suppressions/explain", {"tenant": lane(chance)[0], "address": address}

    return dict(
        [
            fixed("/v1/status"),
            fixed("/v1/account"),
            fixed("/v1/lanes", limit="100"),
            fixed("/v1/lanes", limit="1000"),
            of_tenant("/v1/lanes"),
            fixed("/v1/lanes/map"),
            fixed("/v1/tenants", limit="100"),
            fixed("/v1/top"),
            fixed("/v1/top", per="tenant"),
            fixed("/v1/metrics", by="day"),
            fixed("/v1/metrics", by="lane", limit="100"),
            of_tenant("/v1/metrics", by="hour"),
            of_tenant("/v1/metrics", by="lane"),
            of_tenant("/v1/metrics", by="provider"),
            fixed("/v1/incidents", open="true"),
            fixed("/v1/incidents", limit="100"),
            of_tenant("/v1/incidents"),
            fixed("/v1/incidents/times"),
            fixed("/v1/holds", open="true"),
            fixed("/v1/holds", limit="100"),
            of_tenant("/v1/holds"),
            fixed("/v1/stops", open="true"),
            fixed("/v1/stops", limit="100"),
            fixed("/v1/breaker/decisions", open="true"),
            fixed("/v1/breaker/lanes", limit="100"),
            of_tenant("/v1/breaker/lanes"),
            fixed("/v1/objectives", limit="100"),
            of_tenant("/v1/objectives"),
            fixed("/v1/limits", limit="100"),
            of_tenant("/v1/limits"),
            fixed("/v1/releases"),
            fixed("/v1/warm-ups"),
            fixed("/v1/identities", limit="100"),
            of_tenant("/v1/identities"),
            of_tenant("/v1/claims", limit="100"),
            of_tenant("/v1/suppressions", limit="100"),
            ("/v1/suppressions/explain", explained),
            fixed("/v1/keys", limit="100"),
            of_tenant("/v1/keys"),
            fixed("/v1/audit", limit="100"),
            of_tenant("/v1/audit", limit="100"),
            of_tenant("/v1/audit/proof", limit="1"),
            fixed("/v1/drift", limit="100"),
            fixed("/v1/drift", open="true"),
            fixed("/v1/drift/policies"),
            fixed("/v1/lapse-policies"),
            fixed("/v1/plans", limit="100"),
            fixed("/v1/quarantine", limit="100"),
            fixed("/v1/ungoverned"),
            fixed("/v1/ungoverned/expectations"),
            fixed("/v1/feedback"),
            fixed("/v1/rollouts"),
            fixed("/v1/rollouts", open="true", limit="200"),
            fixed("/v1/rollout-freezes"),
            fixed("/v1/paths", limit="100"),
            fixed("/v1/shared-paths"),
            fixed("/v1/pools"),
            fixed("/v1/signals", limit="100"),
            fixed("/v1/policy"),
            fixed("/v1/policy/plans"),
            of_tenant("/v1/policy/suggestions"),
            fixed("/v1/policy/tenants"),
            fixed("/v1/advice"),
            fixed("/v1/ses-door/sets"),
            fixed("/v1/sessions"),
            fixed("/v1/sign-in-links"),
            fixed("/v1/alert-channels"),
            fixed("/v1/alerts"),
            fixed("/v1/webhooks"),
            fixed("/v1/templates"),
            fixed("/v1/types"),
            of_slug(""),
            of_slug("/isolation"),
            of_slug("/proofs"),
            of_slug("/contacts"),
            of_slug("/facts"),
            of_slug("/notices"),
            of_slug("/policy"),
            of_slug("/view-links"),
            of_lane(""),
            ("/v1/why?of=lane", why),
        ]
    )


def searches(filled: Filled) -> Mapping[str, tuple[str, Ask]]:
    """The kinds of search of `./dev bench search`: whose key, and the question."""

    def asked(query: Callable[[random.Random], Query]) -> Ask:
        return lambda chance: ("/v1/messages", query(chance))

    return {name: (who, asked(query)) for name, (who, query) in search.kinds(filled).items()}
