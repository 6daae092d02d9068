"""The DNS records to publish for a domain, over HTTP."""

from typing import Annotated, Literal

import msgspec
from litestar import get
from litestar.handlers import HTTPRouteHandler
from litestar.params import FromPath, QueryParameter

from mailcordon.adapters.http.auth import AnyRequest, principal_of
from mailcordon.control import dns_records, lookup
from mailcordon.control.dns_records import Publish
from mailcordon.control.identity_records import IdentityRecords
from mailcordon.control.views import Reads

Zone = Annotated[
    str | None,
    QueryParameter(
        description="The DNS zone that relative names are relative to. Default: the registrable domain."
    ),
]
Names = Annotated[
    Literal["absolute", "relative"], QueryParameter(description="How the zone file writes names.")
]
Rua = Annotated[
    str | None, QueryParameter(description="An address for DMARC reports, for the proposed DMARC record.")
]


class RecordToPublish(msgspec.Struct):
    purpose: Literal["dkim", "mail-from", "dmarc", "claim"]
    type: str
    name: str  #: absolute, without a final dot
    relative: str  #: to the zone; @: the zone itself
    value: str  #: of a TXT record: the whole text, without quotes
    strings: list[str]  #: of a TXT record: the text in pieces of at most 255 octets; else empty
    required: bool  #: false: mail leaves without it
    note: str | None


class RecordsToPublish(msgspec.Struct):
    domain: str
    tenant: str
    zone: str
    complete: bool  #: false: SES has not made the identity yet, so its DKIM records are missing
    records: list[RecordToPublish]
    zone_file: str


def routes(reads: Reads, records: IdentityRecords) -> list[HTTPRouteHandler]:
    @get(
        "/v1/identities/{domain:str}/records",
        summary="Show the DNS records to publish for a domain, also as a zone file",
        tags=["control"],
    )
    async def get_records(
        request: AnyRequest,
        domain: FromPath[str],
        zone: Zone = None,
        names: Names = "relative",
        rua: Rua = None,
    ) -> RecordsToPublish:
        viewer = await lookup.viewer(reads, principal_of(request), None)
        found = await records.of(viewer, domain, zone=zone, names=names, rua=rua)
        return RecordsToPublish(
            domain=found.domain,
            tenant=found.tenant,
            zone=found.zone,
            complete=found.complete,
            records=[_record(each, found.zone) for each in found.published],
            zone_file=found.zone_file,
        )

    return [get_records]


def _record(published: Publish, zone: str) -> RecordToPublish:
    record = published.record
    return RecordToPublish(
        purpose=published.purpose.value,
        type=record.type,
        name=record.name,
        relative=dns_records.relative(record.name, zone),
        value=record.value,
        strings=dns_records.strings(record.value) if record.type == "TXT" else [],
        required=published.required,
        note=published.note,
    )
