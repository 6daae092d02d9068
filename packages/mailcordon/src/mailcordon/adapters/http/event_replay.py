"""POST /v1/events/replay: events from a file, in parts (docs/events.md)."""

from typing import Annotated

import msgspec
from litestar import post
from litestar.handlers import HTTPRouteHandler
from litestar.params import JSONBody

from mailcordon.adapters.http.auth import AnyRequest, platform_principal
from mailcordon.core.errors import Fault, Invalid
from mailcordon.core.principal import OPERATE
from mailcordon.messages import event_doors as messages
from mailcordon.observe.file_replay import FileReplay

MOST_TEXTS = 1000


class ReplayBody(msgspec.Struct, forbid_unknown_fields=True):
    #: Each is an event, or holds several: Firehose's records, a Lambda function's event, messages as SQS returns them.
    documents: list[str]
    file: Annotated[str, msgspec.Meta(max_length=1000)] = ""  #: where they are from, for the audit trail


class ReplayedEvents(msgspec.Struct):
    documents: int  #: that the texts held
    new: dict[str, int]  #: events that were not known, by kind
    copies: int  #: events that were known
    observed: int  #: of mail that did not pass through Mailcordon, and that a rule maps to a tenant
    unmapped: int  #: the same, without a rule
    quarantined: dict[str, int]  #: why -> documents
    not_kept: dict[str, int]  #: of these, only counted
    elsewhere: int  #: of other installations
    notices: int  #: about no mail
    lost: int  #: neither stored nor quarantined


def routes(replay: FileReplay) -> list[HTTPRouteHandler]:
    @post(
        "/v1/events/replay",
        status_code=200,
        summary="Store events from a file as if they had just been received; each counts once",
        tags=["events"],
    )
    async def replay_events(request: AnyRequest, data: JSONBody[ReplayBody]) -> ReplayedEvents:
        principal = platform_principal(request, OPERATE)
        if not 0 < len(data.documents) <= MOST_TEXTS:
            raise Invalid(Fault("documents", messages.bad_number_of_documents(MOST_TEXTS)))
        found = await replay.run(data.documents, file=data.file, actor=principal.actor)
        report = found.report
        return ReplayedEvents(
            documents=found.documents,
            new={kind.word: count for kind, count in report.counted.items()},
            copies=report.copies,
            observed=report.observed,
            unmapped=report.unmapped,
            quarantined=dict(report.quarantined),
            not_kept=dict(report.not_kept),
            elsewhere=report.elsewhere,
            notices=report.notices,
            lost=found.lost,
        )

    return [replay_events]
