"""The report of an assessment: everything that was found, in one value, and as one JSON document. Pure."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from mailcordon.control.assess import (
    cloudwatch,
    dangers,
    draft,
    harm,
    observed,
    owners,
    schedule,
    tenants,
    verdict,
)
from mailcordon.control.assess.account import Account, Count, Reputation
from mailcordon.control.assess.dangers import Danger
from mailcordon.control.assess.forecast import METRIC_CALLS
from mailcordon.control.assess.observed import Observed
from mailcordon.control.assess.owners import By, Owners, Rules
from mailcordon.control.assess.schedule import Schedule
from mailcordon.control.assess.tenants import Counted, Portrait
from mailcordon.control.assess.traffic import Seen, Stream, Traffic, add_to
from mailcordon.control.assess.verdict import Verdict
from mailcordon.messages import assess as messages


@dataclass(frozen=True, slots=True, kw_only=True)
class Report:
    account: Account
    verdict: Verdict
    dangers: tuple[Danger, ...]
    tenants: tuple[Portrait, ...]
    schedule: Schedule
    unknown: tuple[str, ...]  #: sentences: what is not known, and what would tell
    tenants_file: str  #: YAML
    events: int = 0  #: that were read

    def document(self) -> dict[str, Any]:
        return {
            "region": self.account.region,
            "on": self.account.on.isoformat(),
            "verdict": {
                "answer": self.verdict.answer.value,
                "says": self.verdict.says,
                "reasons": list(self.verdict.reasons),
                "throttled_everybody": self.verdict.throttled,
            },
            "dangers": [_danger(each) for each in self.dangers],
            "tenants": [_portrait(each) for each in self.tenants],
            "providers": _counts(self.account.by_provider),
            "reputation": {
                name or "account": _reputation(of) for name, of in sorted(self.account.watched.rates.items())
            },
            "order": [
                {"tenant": each.tenant, "why": each.why, "says": each.says, "days": round(each.days, 1)}
                for each in self.schedule.moves
            ],
            "drivers": [
                {"driver": each.name, "number": each.number, "days": round(each.days, 1), "says": each.says}
                for each in self.schedule.drivers
            ],
            "weeks": self.schedule.weeks,
            "calendar": [
                {"week": each.number, "part": each.part, "tenants": list(each.tenants), "says": each.says}
                for each in self.schedule.calendar
            ],
            "unknown": list(self.unknown),
            "events": self.events,
            "tenants_file": self.tenants_file,
        }


def assess(
    account: Account,
    *,
    registrable: Callable[[str], str | None],
    rules: Rules | None = None,
    events: Sequence[Seen] = (),
    seen_by: Observed | None = None,
    throttled: bool | None = None,
) -> Report:
    """`registrable`: a domain's organisational domain, None for a public suffix. `seen_by`: what a running Mailcordon counted.
    `throttled`: a person's answer to whether everybody was ever throttled because of one tenant."""
    seen_by = seen_by or Observed()
    rules = observed.both(rules or Rules(), seen_by.rules)
    found = owners.of(account, registrable, rules)
    traffic = Traffic(found, rules, {name: slug for slug, name in found.ses_tenant.items()})
    for each in events:
        traffic.take(each)
    streams = traffic.streams()
    add_to(found, streams, account)
    cloudwatch.add_to(found, account, rules)
    tagged = cloudwatch.tagged(account, rules)
    _add_to_the_only_domain(found, account, [*seen_by.tenants, *tagged])
    used = tenants.usage(account, found, registrable)
    portraits = tenants.portraits(account, found, streams, used, registrable, seen_by, tagged)
    dangerous = dangers.find(account, found, used, portraits, streams, registrable)
    return Report(
        account=account,
        verdict=verdict.judge(portraits, dangerous, throttled=throttled),
        dangers=tuple(dangerous),
        tenants=tuple(portraits),
        schedule=schedule.plan(account, portraits, dangerous),
        unknown=tuple(_unknown(account, portraits, streams, seen_by)),
        tenants_file=draft.draft(portraits),
        events=traffic.events,
    )


def _add_to_the_only_domain(found: Owners, account: Account, slugs: Sequence[str]) -> None:
    """All mail of an account with one identity leaves from it, whoever's it is, and through its only set if it has one."""
    if len(account.identities) != 1 or not slugs:
        return
    owned = found.of_identity[account.identities[0].name]
    guesses = [each for each, by in owned.items() if by in (By.SIBLING, By.ORGANISATION)]
    for of in (owned, *found.of_set.values()):
        for guessed in guesses:
            of.pop(guessed, None)
    for of in (owned, *(found.of_set[each.name] for each in account.sets if len(account.sets) == 1)):
        for each in slugs:
            of.setdefault(each, By.RULE)


def _unknown(
    account: Account, portraits: Sequence[Portrait], streams: Sequence[Stream], seen_by: Observed
) -> list[str]:
    said = [
        messages.missing(operation=each.operation, why=each.why.value, said=each.said)
        for each in account.missing
    ]
    # Where SES counts, a tenant without counts sent nothing.
    if not account.knows(METRIC_CALLS):
        silent = [each.slug for each in portraits if each.counted is Counted.NOTHING]
        if silent:
            said.append(messages.not_counted(tenants=silent))
    whole = sum(stream.total.sent for stream in streams)
    nobodys = sum(stream.total.sent for stream in streams if stream.tenant is None)
    if nobodys:
        said.append(messages.unattributed(mails=nobodys, share=nobodys / whole))
    if seen_by.unmapped:
        said.append(messages.unmapped(mails=seen_by.unmapped))
    if nowhere := [each.slug for each in portraits if each.sent and not each.providers]:
        others = any(each.providers for each in portraits)
        said.append(messages.providers_not_known(tenants=nowhere, others=others))
    if guesses := sum(not each.by.sure for each in portraits):
        said.append(messages.guessed(tenants=guesses))
    return said


def _danger(each: Danger) -> dict[str, Any]:
    return {
        "code": each.code,
        "about": each.about,
        "severity": each.severity.value,
        "says": each.says,
        "do": each.do,
        "tenants": list(each.tenants),
        "guess": each.guess,
    }


def _portrait(each: Portrait) -> dict[str, Any]:
    return {
        "tenant": each.slug,
        "known_by": each.by.value,
        "ses_tenant": each.ses_tenant,
        "identities": list(each.identities),
        "sets": list(each.sets),
        "counted": each.counted.value,
        "figures": {name.value: _count(count) for name, count in each.figures},
        "providers": _counts(each.providers) if each.providers else None,
        "providers_counted": each.providers_by.value,
        "sent": each.sent,
        "sent_a_week": each.weekly,
        "revenue_critical": list(each.critical),
        "types": [
            {
                "type": lane.type,
                "class": lane.guess.class_.word,
                "revenue_critical": lane.guess.critical,
                "guess": {"word": lane.guess.by, "where": lane.guess.where},
                "domain": lane.domain,
                "configuration_set": lane.configuration_set,
                "pool": lane.pool,
                "sent_a_week": lane.weekly,
            }
            for lane in each.lanes
        ],
        "shares": [
            {
                "what": share.what.value,
                "name": share.name,
                "others": share.others,
                "some": list(share.named),
            }
            for share in each.shares
        ],
        "endangers": each.endangers,
        "worst_week": None if each.harm is None else _harm(each.harm),
    }


def _counts(of: Mapping[str, Count]) -> dict[str, dict[str, int]]:
    return {name: _count(count) for name, count in sorted(of.items(), key=lambda one: -one[1].sent)}


def _count(count: Count) -> dict[str, int]:
    return {"sent": count.sent, "bounced": count.bounced, "complained": count.complained}


def _reputation(of: Reputation) -> dict[str, float | None]:
    return {"bounces": of.bounces, "complaints": of.complaints}


def _harm(each: harm.Harm) -> dict[str, Any]:
    return {
        "monday": each.monday.isoformat(),
        "kind": each.kind.value,
        "sent": each.count.sent,
        "rate": round(each.rate, 5),
        "at_least": round(each.at_least, 5),
        "account_with": round(each.with_it, 5),
        "account_without": round(each.without_it, 5),
        "tipped_the_account": each.tipped,
        "mail_of_others": each.others_sent,
    }
