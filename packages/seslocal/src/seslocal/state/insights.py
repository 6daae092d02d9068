"""Virtual Deliverability Manager's data: the events of each mail that it tracks, and the counts. As at SES it tracks nothing
while it is off, and never mail to the simulator or to more than one recipient. It keeps as many of the newest mails as the
ledger, encoded like the ledger's entries."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Final

import msgspec

from seslocal.state.accepted_mail import Mail
from seslocal.state.attributes import Attributes
from seslocal.state.configuration_sets import MATCHING, ConfigurationSet
from seslocal.state.isps import has_feedback_loop, isp_of
from seslocal.state.outcomes import Outcome, Plan, is_simulator
from seslocal.state.tracking import Tracking
from seslocal.state.vdm_metrics import Metrics, Series

_MOST_BYTES: Final = 8192  # of one mail's events; further opens add nothing
_SUPPRESSED: Final = {
    "OnAccountSuppressionList": "ON_ACCOUNT_SUPPRESSION_LIST",
    "OnTenantSuppressionList": "ON_TENANT_SUPPRESSION_LIST",
}
_encode = msgspec.json.Encoder().encode
_lines = msgspec.json.Decoder().decode_lines


@dataclass(frozen=True, slots=True)
class Event:
    at: float
    type: str  #: as MatchingEventTypes names it
    bounce_type: str = ""  #: PERMANENT, TRANSIENT or UNDETERMINED
    subtype: str = ""  #: of the bounce or complaint
    diagnostic: str = ""  #: of the bounce
    feedback: str = ""  #: of the complaint


@dataclass(slots=True, eq=False)
class VdmMail:
    """A tracked mail."""

    message_id: str
    at: float
    recipient: str
    series: Series
    facts: bytes  #: JSON: sender, subject, tags
    events_json: bytes = b""  #: JSON: its events, one per line

    @property
    def events(self) -> list[Event]:
        return [Event(*event) for event in _lines(self.events_json)]

    def read(self) -> tuple[str, str, dict[str, list[str]]]:
        """Returns sender, subject and tags."""
        sender, subject, tags = msgspec.json.decode(self.facts)
        return sender, subject, tags


class Insights:
    """A mail observer."""

    def __init__(self, attributes: Attributes, tracking: Tracking, most: int) -> None:
        self._attributes = attributes
        self._tracking = tracking
        self._most = most  #: mails that are kept
        self._seen: dict[str, VdmMail] = {}
        self._order: deque[str] = deque()  # finding the oldest in a dict alone is slow
        self.metrics = Metrics()

    def get(self, message_id: str) -> VdmMail | None:
        return self._seen.get(message_id)

    def between(self, start: float, end: float) -> Iterator[VdmMail]:
        """Returns the mails sent from `start` to `end`, both included, oldest first."""
        return (seen for seen in self._seen.values() if start <= seen.at <= end)

    def accepted(
        self, mail: Mail, configuration_set: ConfigurationSet | None, plans: list[tuple[str, Plan]]
    ) -> None:
        if not self._attributes.vdm_enabled or len(mail.destination) != 1:
            return
        recipient = mail.destination[0]
        if is_simulator(recipient):
            return
        series = Series(
            mail.source_arn.partition("/")[2],
            configuration_set.name if configuration_set else None,
            isp_of(recipient),
            mail.tenant,
        )
        facts = _encode((mail.source, mail.common.get("subject") or "", mail.tags))
        self._seen[mail.message_id] = VdmMail(mail.message_id, mail.accepted_at, recipient, series, facts)
        self._order.append(mail.message_id)
        if len(self._seen) > self._most:
            del self._seen[self._order.popleft()]

    def happened(
        self, mail: Mail, event: str, outcome: Outcome | None, recipients: Sequence[str], at: float
    ) -> None:
        if not self._seen or (seen := self._seen.get(mail.message_id)) is None:
            return
        if outcome is not None and outcome.kind == "Complaint" and outcome.suppressed:
            return
        kind = MATCHING[event]
        is_first = b'"%b"' % kind.encode() not in seen.events_json
        if len(seen.events_json) < _MOST_BYTES:
            seen.events_json += _encode((at, kind, *_details(outcome))) + b"\n"
        for metric in self._metrics(seen, kind, outcome, is_first=is_first):
            self.metrics.count(metric, seen.series, at)

    def _metrics(self, seen: VdmMail, kind: str, outcome: Outcome | None, *, is_first: bool) -> Iterator[str]:
        match kind:
            case "SEND" | "COMPLAINT":
                yield kind
            case "OPEN" | "CLICK":
                if is_first:
                    yield kind
            case "BOUNCE" if outcome is not None and not outcome.suppressed:
                yield "PERMANENT_BOUNCE" if outcome.type == "Permanent" else "TRANSIENT_BOUNCE"
            case "DELIVERY":
                yield kind
                if has_feedback_loop(seen.series.ISP):
                    yield "DELIVERY_COMPLAINT"
                tracked = self._tracking.get(seen.message_id)
                if tracked and tracked.opens:
                    yield "DELIVERY_OPEN"
                if tracked and tracked.clicks:
                    yield "DELIVERY_CLICK"
            case _:
                return


def _details(outcome: Outcome | None) -> tuple[Any, ...]:
    if outcome is None or outcome.kind not in ("Bounce", "Complaint"):
        return ()
    subtype = _SUPPRESSED.get(outcome.subtype, outcome.subtype)
    if outcome.kind == "Bounce":
        return (outcome.type.upper(), subtype, outcome.diagnostic)
    return ("", subtype, "", outcome.feedback)
