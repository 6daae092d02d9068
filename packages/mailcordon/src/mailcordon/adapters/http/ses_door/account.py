"""Quota, statistics and insights in SES's words: those of the caller's tenant, or of the whole account for a platform key."""

from typing import Any

from mailcordon.adapters.http import shapes
from mailcordon.adapters.http.ses_door.errors import SesError
from mailcordon.adapters.http.ses_door.services import Services
from mailcordon.core import ses_door_ids
from mailcordon.core import text as texts
from mailcordon.core.event import Kind
from mailcordon.core.principal import READ, Principal
from mailcordon.messages import ses_door as messages
from mailcordon.observe.metrics_view import MetricLine, MetricQuery, MetricScope
from mailcordon.observe.windows import DAY, HOUR, MINUTE_MS, Window
from mailcordon.send import view

UNLIMITED = -1  #: as SES says it
_DAYS = 14  #: of GetSendStatistics
_PREFIX = "SES: "  #: of SES's events in a timeline
#: Our words for SES's events -> SES's own in insights, and the type of a bounce.
_EVENTS: dict[str, tuple[str, str | None]] = {
    Kind.SEND.word: ("SEND", None),
    Kind.DELAY.word: ("DELIVERY_DELAY", None),
    Kind.DELIVERY.word: ("DELIVERY", None),
    Kind.SOFT_BOUNCE.word: ("BOUNCE", "TRANSIENT"),
    Kind.HARD_BOUNCE.word: ("BOUNCE", "PERMANENT"),
    Kind.SUPPRESSED.word: ("BOUNCE", "PERMANENT"),
    Kind.COMPLAINT.word: ("COMPLAINT", None),
    Kind.REJECT.word: ("REJECT", None),
    Kind.OPEN.word: ("OPEN", None),
    Kind.MACHINE_OPEN.word: ("OPEN", None),
    Kind.CLICK.word: ("CLICK", None),
    Kind.MACHINE_CLICK.word: ("CLICK", None),
    Kind.RENDERING_FAILURE.word: ("RENDERING_FAILURE", None),
}


async def get_account(services: Services, principal: Principal) -> dict[str, Any]:
    quota = await send_quota(services, principal)
    return {
        "DedicatedIpAutoWarmupEnabled": False,
        "EnforcementStatus": "HEALTHY",
        "ProductionAccessEnabled": True,
        "SendingEnabled": True,
        "SendQuota": quota,
        "SuppressionAttributes": {"SuppressedReasons": ["BOUNCE", "COMPLAINT"]},
    }


async def send_quota(services: Services, principal: Principal) -> dict[str, float]:
    """A tenant has no daily quota of its own; its rate is the key's. A platform key is told the account's."""
    principal.require(READ)
    if principal.is_platform:
        limits = (await services.account.facts()).limits
        return {
            "Max24HourSend": sum(one.max_24h for one in limits) if limits else UNLIMITED,
            "MaxSendRate": sum(one.max_send_rate for one in limits),
            "SentLast24Hours": sum(one.sent_24h for one in limits),
        }
    lines = await _by_hour(services, principal, 1)
    own = principal.limits.messages_per_second
    return {
        "Max24HourSend": UNLIMITED,
        "MaxSendRate": services.key_rates.messages if own is None else own,
        "SentLast24Hours": sum(line.counts["sent"] for line in lines),
    }


async def send_statistics(services: Services, principal: Principal) -> dict[str, Any]:
    """Hours of the last two weeks, where SES has quarters of hours. Rejects are SES's."""
    principal.require(READ)
    points = [
        {
            "Timestamp": shapes.iso_ms((line.at or 0) * MINUTE_MS),
            "DeliveryAttempts": line.counts["sent"],
            "Bounces": line.counts["hard_bounced"],
            "Complaints": line.counts["complained"],
            "Rejects": line.counts["rejected"],
        }
        for line in await _by_hour(services, principal, _DAYS)
        if line.counts["sent"]
    ]
    return {"SendDataPoints": points}


async def insights(services: Services, principal: Principal, id: str) -> dict[str, Any]:
    """Of one message: what SES reported of each recipient's delivery. The subject is not kept, so it is left out."""
    principal.require(READ)
    absent = SesError("NotFoundException", messages.message_not_found(texts.harmless(id, 100)), 404)
    try:
        message = ses_door_ids.decode(id)
    except ValueError:
        raise absent from None
    records = await services.messages.records(message, principal.tenant_id)
    if records is None:
        raise absent
    return {
        "MessageId": id,
        "FromEmailAddress": records.message.from_address,
        "EmailTags": [
            {"Name": name, "Value": value}
            for name, value in (("type", records.message.type), *dict(records.message.tags).items())
        ],
        "Insights": [
            {"Destination": one.to, "Isp": one.provider, "Events": _events(one)}
            for one in view.deliveries(records)
        ],
    }


def _events(delivery: view.DeliveryView) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = []
    for entry in delivery.timeline:
        kind, bounce = _EVENTS.get(entry.what.removeprefix(_PREFIX), (None, None))
        if kind is None or not entry.what.startswith(_PREFIX):
            continue
        event: dict[str, Any] = {"Timestamp": entry.at / 1000, "Type": kind}
        if bounce is not None:
            event["Details"] = {"Bounce": {"BounceType": bounce, "DiagnosticCode": entry.detail}}
        found.append(event)
    return found


async def _by_hour(services: Services, principal: Principal, days: int) -> list[MetricLine]:
    now = await services.metrics.now()
    scope = MetricScope(tenant=principal.tenant_id, as_tenant=not principal.is_platform)
    query = MetricQuery(by="hour", window=Window(now + HOUR - days * DAY, now + 1), limit=_DAYS * 24 + 2)
    return list((await services.metrics.metrics(scope, query)).lines)
