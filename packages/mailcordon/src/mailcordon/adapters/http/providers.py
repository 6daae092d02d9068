"""GET /v1/providers/{domain}: who receives a domain's mail, and how that is known.

What mail goes where is about all tenants together, so only a platform key may read it.
"""

import msgspec
from litestar import get
from litestar.handlers import HTTPRouteHandler
from litestar.params import FromPath

from mailcordon.adapters.http import shapes
from mailcordon.adapters.http.auth import AnyRequest, platform_principal
from mailcordon.adapters.http.shapes import Time
from mailcordon.control.providers import Providers
from mailcordon.core.principal import READ


class ProviderView(msgspec.Struct):
    domain: str
    provider: str  #: unknown until the domain was looked up; other: none that is told apart
    kind: str | None  #: mailbox, hosting, gateway or forwarder
    behind: str | None  #: who has the mailboxes, if it is somebody else and that is known
    #: How it is known. name: the provider offers the domain to the public. mx: by MX records. address: an address, no MX records.
    #: null-mx, no-name, nothing: it takes no mail. failed: no look-up was answered. unknown: it is being looked up
    source: str
    hosts: list[str]  #: that decided it
    since: Time | None  #: when this provider was seen first
    learnt_at: Time | None  #: of the last look-up that was answered
    expires_at: Time | None  #: mail to the domain after this has it looked up again
    sentence: str
    problem: str | None  #: the last look-up failed, and an older answer is kept


def routes(providers: Providers) -> list[HTTPRouteHandler]:
    @get(
        "/v1/providers/{domain:str}",
        summary="Show who receives a domain's mail, and how that is known",
        tags=["system"],
    )
    async def get_provider(request: AnyRequest, domain: FromPath[str]) -> ProviderView:
        platform_principal(request, READ)
        found = await providers.show(domain)
        return ProviderView(
            domain=found.domain,
            provider=found.provider.word,
            kind=found.kind or None,
            behind=None if found.behind is None else found.behind.word,
            source=found.source,
            hosts=list(found.hosts),
            since=shapes.iso_ms_or_none(found.since),
            learnt_at=shapes.iso_ms_or_none(found.learnt_at),
            expires_at=shapes.iso_ms_or_none(found.expires_at),
            sentence=found.sentence,
            problem=found.problem,
        )

    return [get_provider]
