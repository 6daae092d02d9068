"""The DNS records that a domain needs now, from what is stored of it."""

from collections.abc import Sequence
from dataclasses import dataclass

from mailcordon.control import dns_records, lookup
from mailcordon.control.authentication.alignment import Suffixes
from mailcordon.control.dkim_keys import DkimKeys
from mailcordon.control.dns_records import DkimKey, Facts, Names, Publish, Record
from mailcordon.control.views import IdentityView, Reads, Viewer
from mailcordon.core import address as addresses
from mailcordon.core import domain as domains
from mailcordon.core.errors import parse_field


@dataclass(frozen=True, slots=True, kw_only=True)
class Records:
    domain: str
    tenant: str  #: slug
    zone: str  #: that relative names are relative to
    published: Sequence[Publish]
    zone_file: str
    complete: bool  #: SES has made the identity, so that its DKIM records are known


class IdentityRecords:
    def __init__(self, reads: Reads, keys: DkimKeys, suffixes: Suffixes, *, region: str) -> None:
        """`region`: of SES, which is part of some records."""
        self._reads = reads
        self._keys = keys
        self._suffixes = suffixes
        self._region = region

    async def of(
        self,
        viewer: Viewer,
        domain: str,
        *,
        zone: str | None = None,
        names: Names = "relative",
        rua: str | None = None,
    ) -> Records:
        """`zone` None: the registrable domain. `rua`: where DMARC reports should go. Raises NotFound, or Invalid."""
        view = await lookup.identity(self._reads, viewer, domain)
        zone = self._zone(view.domain) if zone is None else parse_field("zone", domains.parse, zone)
        dns_records.check_zone(view.domain, zone)
        if rua is not None:
            rua = str(parse_field("rua", addresses.parse, rua, code="bad-address"))
        facts = await self._facts(viewer, view, rua)
        published = dns_records.to_publish(facts)
        return Records(
            domain=view.domain,
            tenant=view.tenant,
            zone=zone,
            published=published,
            zone_file=dns_records.zone_file(view.domain, published, zone, names),
            complete=bool(facts.easy_dkim or facts.keys),
        )

    def _zone(self, domain: str) -> str:
        return self._suffixes.registrable(domain) or domain

    async def _facts(self, viewer: Viewer, view: IdentityView, rua: str | None) -> Facts:
        stored = [Record(**each) for each in view.records]
        keys = await self._keys.of(viewer.tenant if viewer.as_tenant else None, view.domain)
        signing = any(each.state == "signing" and each.selector for each in keys)
        return Facts(
            domain=view.domain,
            region=self._region,
            easy_dkim=() if signing else tuple(each for each in stored if each.type == "CNAME"),
            keys=tuple(
                DkimKey(selector=each.selector, public_key=each.public_key or "", keep_until=each.keep_until)
                for each in keys
                if each.selector is not None
            ),
            mail_from=view.mail_from,
            claim_token=view.claim_token,
            rua=rua,
        )
