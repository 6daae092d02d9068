"""Checks of domains over HTTP: now, the last one, and what a lapse does to lanes."""

from collections.abc import Mapping
from typing import Any, Literal

import msgspec
from litestar import get, post, put
from litestar.handlers import HTTPRouteHandler
from litestar.params import FromPath, JSONBody

from mailcordon.adapters.http import shapes
from mailcordon.adapters.http.auth import AnyRequest, platform_principal, principal_of
from mailcordon.adapters.http.identities import Record
from mailcordon.adapters.http.shapes import Time
from mailcordon.control import identity_check_rows, lookup
from mailcordon.control.authentication import sender_rules
from mailcordon.control.identity_checks import Checked, IdentityChecks, SetPolicy
from mailcordon.control.lapses import Effect, Policy, Suspicion
from mailcordon.control.views import Reads, Viewer
from mailcordon.core.principal import ADMIN, OPERATE, READ
from mailcordon.core.priority import Class

ClassWord = Literal["urgent", "transactional", "marketing"]
EffectWord = Literal["weaker", "fails"]
ActionWord = Literal["report", "slow", "hold"]


class SesView(msgspec.Struct):
    """What GetEmailIdentity returned last."""

    status: str | None  #: VerificationStatus; null: SES has not made the identity yet
    dkim_status: str | None
    signing_zone: str | None  #: that the CNAMEs of Easy DKIM point into
    tokens: list[str]
    mail_from: str | None  #: the custom MAIL FROM domain; null: SES's own
    mail_from_status: str | None
    observed_at: Time | None  #: when SES was asked


class CheckRow(msgspec.Struct):
    what: Literal["ses", "dkim", "mail-from", "dmarc", "other"]
    state: Literal["ok", "pending", "lapsed", "error", "warning", "note", "unknown"]
    says: str
    record: str | None  #: the name it is about
    publish: Record | None  #: the record that would mend it


class SenderRule(msgspec.Struct):
    """What a mailbox provider asks of bulk senders."""

    provider: Literal["gmail", "yahoo", "microsoft"]
    rule: str
    state: Literal["met", "not-met", "not-checked"]
    says: str


class LaneAnswer(msgspec.Struct):
    """Whether the mail that a lane sends passes DMARC."""

    type: str | None  #: null: no lane sends from the domain; the answer is for mail that would
    class_: ClassWord | None = msgspec.field(name="class")
    from_domain: str
    result: Literal["passes-both", "passes-dkim-only", "passes-spf-only", "fails", "unknown"]
    says: str
    organisation: str | None  #: the organisational domain
    policy: str | None  #: of the DMARC record: none, quarantine or reject
    rules: list[SenderRule]  #: of large mailbox providers for bulk senders


class LossItem(msgspec.Struct):
    """Something that was right before and is missing or wrong now."""

    code: str
    record: str
    says: str
    publish: Record | None
    since: Time
    confirmed: int  #: how often the zone's own name servers agreed, hours apart
    lapsed_at: Time | None  #: null: suspected only


class CheckItem(msgspec.Struct):
    domain: str
    tenant: str
    at: Time
    asked: Literal["now", "schedule"]
    passes: bool  #: nothing is an error
    complete: bool  #: every look-up was answered
    authoritative: bool  #: by the zone's own name servers
    ses: SesView
    rows: list[CheckRow]
    lanes: list[LaneAnswer]
    losses: list[LossItem]
    lapsed_at: Time | None
    effect: EffectWord | None  #: of the lapse on mail: it still passes DMARC, or fails
    next_check_at: Time


class LapsePolicyItem(msgspec.Struct):
    class_: ClassWord = msgspec.field(name="class")
    effect: EffectWord
    action: ActionWord
    rate: float | None  #: deliveries per second of each lane, with slow
    is_default: bool
    by: str | None
    because: str | None
    at: Time | None


class LapsePolicyList(msgspec.Struct):
    items: list[LapsePolicyItem]


class LapsePolicyBody(msgspec.Struct, kw_only=True, forbid_unknown_fields=True):
    action: ActionWord
    rate: float | None = None
    because: str


def routes(reads: Reads, checks: IdentityChecks) -> list[HTTPRouteHandler]:
    @post(
        "/v1/identities/{domain:str}/check",
        summary="Check what SES says of a domain, what its DNS shows, and whether its mail passes DMARC",
        tags=["control"],
        status_code=200,
    )
    async def check_now(request: AnyRequest, domain: FromPath[str]) -> CheckItem:
        """A tenant's own key checks its own domains with the scope `read`; a platform key needs `operate`."""
        principal = principal_of(request)
        if principal.is_platform:
            principal.require(OPERATE)
            viewer = Viewer(None)
        else:
            viewer = await lookup.viewer(reads, principal, None)
        # SES is asked at a rate that all tenants share: a tenant's key gets what was read last.
        return _check(await checks.now(viewer, domain, reread=principal.is_platform))

    @get(
        "/v1/identities/{domain:str}/check",
        summary="Show what the last check of a domain found",
        tags=["control"],
    )
    async def last_check(request: AnyRequest, domain: FromPath[str]) -> CheckItem:
        viewer = await lookup.viewer(reads, principal_of(request), None)
        return _check(await checks.last(viewer, domain))

    @get("/v1/lapse-policies", summary="List what a lapse does to lanes, by class", tags=["control"])
    async def list_policies(request: AnyRequest) -> LapsePolicyList:
        platform_principal(request, READ)
        return LapsePolicyList([_policy(each) for each in await checks.policies()])

    @put(
        "/v1/lapse-policies/{priority_class:str}/{effect:str}",
        summary="Set what a lapse does to the lanes of a class",
        tags=["control"],
    )
    async def set_policy(
        request: AnyRequest,
        priority_class: FromPath[ClassWord],
        effect: FromPath[EffectWord],
        data: JSONBody[LapsePolicyBody],
    ) -> LapsePolicyItem:
        actor = platform_principal(request, ADMIN).actor
        because = shapes.reason(data.because)
        policy = Policy(action=data.action, rate=data.rate)
        class_ = Class[priority_class.upper()]
        return _policy(await checks.set_policy(class_, Effect(effect), policy, actor=actor, because=because))

    return [check_now, last_check, list_policies, set_policy]


def _check(found: Checked) -> CheckItem:
    check, state = found.check, found.state
    return CheckItem(
        domain=found.domain,
        tenant=found.tenant,
        at=shapes.iso_ms(check.at),
        asked=check.asked,
        passes=check.passes,
        complete=check.complete,
        authoritative=check.authoritative,
        ses=_ses(check.result["ses"]),
        rows=[
            CheckRow(
                what=row.what,
                state=row.state,
                says=row.says,
                record=row.record,
                publish=None if row.publish is None else Record(**row.publish),
            )
            for row in identity_check_rows.rows(found)
        ],
        lanes=[
            LaneAnswer(
                type=each["type"],
                class_=each["class"],
                from_domain=each["from_domain"],
                result=each["result"],
                says=each["says"],
                organisation=each["organisation"],
                policy=each["policy"],
                rules=[_rule(rule) for rule in identity_check_rows.rules_for_bulk_senders(each)],
            )
            for each in check.result["lanes"]
        ],
        losses=[_loss(each) for each in state.suspicions],
        lapsed_at=shapes.iso_ms_or_none(state.lapsed_at),
        effect=None if state.effect is None else state.effect.value,
        next_check_at=shapes.iso_ms(found.next_check_at),
    )


def _rule(found: sender_rules.Checked) -> SenderRule:
    provider: Any = found.provider.word
    return SenderRule(provider=provider, rule=found.rule.value, state=found.state.value, says=found.says)


def _ses(found: Mapping[str, Any]) -> SesView:
    return SesView(
        status=found["status"],
        dkim_status=found["dkim_status"],
        signing_zone=found["signing_zone"],
        tokens=found["tokens"],
        mail_from=found["mail_from"],
        mail_from_status=found["mail_from_status"],
        observed_at=shapes.iso_ms_or_none(found["observed_at"]),
    )


def _loss(found: Suspicion) -> LossItem:
    return LossItem(
        code=found.loss.code,
        record=found.loss.record,
        says=found.loss.says,
        publish=None if found.loss.publish is None else Record(**found.loss.publish),
        since=shapes.iso_ms(found.since),
        confirmed=found.agreed,
        lapsed_at=shapes.iso_ms_or_none(found.lapsed_at),
    )


def _policy(found: SetPolicy) -> LapsePolicyItem:
    word: ClassWord = found.class_.word  # pyright: ignore[reportAssignmentType]
    return LapsePolicyItem(
        class_=word,
        effect=found.effect.value,
        action=found.policy.action,
        rate=found.policy.rate,
        is_default=found.is_default,
        by=found.by,
        because=found.because,
        at=shapes.iso_or_none(found.at),
    )
