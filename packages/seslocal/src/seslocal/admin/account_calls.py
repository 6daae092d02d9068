"""Admin calls on the account: its limits and switches, the global list, and verdicts of Auto Validation."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from dataclasses import asdict
from typing import Any, Final, TypeVar, cast

from seslocal.admin import fields, messages
from seslocal.admin.fields import Json, Query, Refused
from seslocal.mail.auto_validation import VERDICTS, assess
from seslocal.sesv2.reputation import POLICIES
from seslocal.state.account import Account
from seslocal.state.account_review import STATUSES, ReviewRules
from seslocal.state.global_suppression import LONGEST, Entry
from seslocal.state.settings import OLD_PAUSE_ERRORS, PAUSE_ERRORS, Behaviour

_T = TypeVar("_T")
#: least values of numbers by which time or mail is divided
_LEAST: Final = {
    "interval": 1.0,
    "representative": 1.0,
    "repeats": 1.0,
    "busy": 0.01,
    "halves": 0.01,
    "start": 1.0,
    "growth": 1.0,
}
_REVIEWS: Final = ("PENDING", "GRANTED", "DENIED", "FAILED")


def show(account: Account, query: Query, body: Json) -> Json:
    return {
        "rate": account.sending.limits.rate,
        "quota": account.sending.limits.quota,
        "sent_last_24_hours": account.sending.limits.sent(account.clock.now()),
        "sending_enabled": account.sending.enabled,
        "production": account.sending.production,
        "enforcement": account.sending.enforcement,
        "review": (account.attributes.details or {}).get("ReviewDetails", {}).get("Status"),
        "event_bus_queue": account.events.bus_queue,
        "management_queue": account.events.management_queue,
        "data_events": account.events.data_events,
        "sns_url": account.events.sns_url,
        "check_signatures": account.access.check_signatures,
        "management_rate": account.access.management_rate.rate,
        "management_together": account.access.management_rate.together,
        "findings": account.tenants.automatic_findings,
        "thresholds": asdict(account.tenants.thresholds),
        "account_review": {"on": account.sending.reviewed, **asdict(account.sending.review.rules)},
        "warm_up": asdict(account.dedicated_ips.warm_ups.rules),
        "behaviour": asdict(account.behaviour),
    }


def show_review(account: Account, query: Query, body: Json) -> Json:
    """Returns the account's status as SES decides it, and the rates that it decides by."""
    review, now = account.sending.review, account.clock.now()
    status = review.status_at(now)
    return {
        "status": status,
        "cause": review.cause or None,
        "since": review.since if review.changes else None,
        "bounce_rate": review.bounces.rate,
        "bounced": review.bounces.bad,
        "mailed": review.bounces.mails,
        "complaint_rate": review.complaints.rate,
        "complained": review.complaints.bad,
        "with_loop": review.complaints.mails,
        "reviews": dict(review.reviews),
        "changes": [change._asdict() for change in review.changes],
    }


def put(account: Account, query: Query, body: Json) -> Json:
    """Checks everything before anything is changed."""
    fields.allow_only(body, *(name for name in show(account, query, body) if name != "sent_last_24_hours"))
    production = fields.boolean(body, "production", account.sending.production)
    review = fields.choice(body, "review", _REVIEWS)
    rate = fields.number(body, "rate", account.sending.limits.rate, 0.0, 1e9)
    quota = fields.number(body, "quota", account.sending.limits.quota, -1.0, 1e12)
    sending = fields.boolean(body, "sending_enabled", account.sending.enabled)
    enforcement = fields.choice(body, "enforcement", STATUSES) or account.sending.enforcement
    bus = fields.text(body, "event_bus_queue") if "event_bus_queue" in body else account.events.bus_queue
    managing = (
        fields.text(body, "management_queue")
        if "management_queue" in body
        else account.events.management_queue
    )
    data_events = fields.boolean(body, "data_events", account.events.data_events)
    sns_url = fields.text(body, "sns_url") if "sns_url" in body else account.events.sns_url
    checking = fields.boolean(body, "check_signatures", account.access.check_signatures)
    management = fields.number(body, "management_rate", account.access.management_rate.rate, 0.0, 1e6)
    together = fields.boolean(body, "management_together", account.access.management_rate.together)
    finds = fields.boolean(body, "findings", account.tenants.automatic_findings)
    thresholds = _changed("thresholds", account.tenants.thresholds, body.get("thresholds", {}))
    reviewed, rules = _review(account, body.get("account_review", {}))
    warm_up = _changed("warm_up", account.dedicated_ips.warm_ups.rules, body.get("warm_up", {}))
    behaviour = _behaviour(account.behaviour, body.get("behaviour", {}))

    account.sending.set_production(production or review == "GRANTED")
    if "rate" in body:
        account.sending.limits.set_rate(rate)
    if "quota" in body:
        account.sending.limits.quota = quota
    if review is not None and account.attributes.details:
        account.attributes.details.setdefault("ReviewDetails", {})["Status"] = review
    if "management_rate" in body or "management_together" in body:
        account.access.management_rate.set(management, together=together)
    account.sending.set_enabled(sending)
    account.sending.enforcement, account.access.check_signatures = enforcement, checking
    account.tenants.automatic_findings, account.tenants.thresholds, account.behaviour = (
        finds,
        thresholds,
        behaviour,
    )
    account.sending.reviewed, account.dedicated_ips.warm_ups.rules = reviewed, warm_up
    if rules != account.sending.review.rules:
        account.sending.review.change_rules(account.clock.now(), rules)
    account.events.sns_url, account.events.bus_queue = sns_url and sns_url.rstrip("/"), bus
    account.events.management_queue, account.events.data_events = managing, data_events
    for queue in (bus, managing):
        if queue is not None:
            account.queues.ensure(queue)
    return show(account, query, body)


def global_list(account: Account, query: Query, body: Json) -> Json:
    """Returns the addresses that are on it now."""
    now, entries = account.clock.now(), account.suppression.global_list.entries
    return {"addresses": [_entry(address, entry) for address, entry in entries.items() if now < entry.until]}


def put_global(account: Account, address: str, query: Query, body: Json) -> Json:
    fields.allow_only(body, "seconds")
    seconds = fields.number(body, "seconds", LONGEST, 0.0, LONGEST)
    entry = Entry(account.clock.now() + seconds, 1)
    account.suppression.global_list.put(address.lower(), entry)
    return _entry(address.lower(), entry)


def delete_global(account: Account, address: str, query: Query, body: Json) -> Json:
    if not account.suppression.global_list.delete(address.lower()):
        raise Refused(404, messages.not_on_global_list(address))
    return {}


def put_verdict(account: Account, address: str, query: Query, body: Json) -> Json:
    """Sets the verdict of Auto Validation for an address; null: it is computed again."""
    fields.allow_only(body, "verdict")
    verdict = fields.choice(body, "verdict", VERDICTS)
    if verdict is None:
        account.suppression.verdicts.pop(address.lower(), None)
    else:
        account.suppression.verdicts[address.lower()] = verdict
    return {"address": address, "verdict": assess(account, address).valid}


def _entry(address: str, entry: Entry) -> Json:
    return {"address": address, "until": entry.until, "bounces": entry.bounces}


def _review(account: Account, changes: object) -> tuple[bool | None, ReviewRules]:
    """Returns whether SES reviews the account (None: if there is a world), and the rules."""
    rules, on = account.sending.review.rules, account.sending.reviewed
    if not isinstance(changes, dict):
        return on, _changed("account_review", rules, changes)
    given = cast("Json", changes)
    if "on" in given:
        on = None if given["on"] is None else fields.boolean(given, "on", False)
    return on, _changed("account_review", rules, {name: given[name] for name in given if name != "on"})


def _changed(what: str, before: _T, changes: object) -> _T:
    """Returns rules with some of their numbers and switches changed."""
    if not isinstance(changes, dict):
        raise Refused(400, messages.must_be(what, "an object of numbers"))
    given, old = cast("Json", changes), asdict(cast("Any", before))
    fields.allow_only(given, *old)
    after: Json = {}
    for name, value in old.items():
        if type(value) is bool:
            after[name] = fields.boolean(given, name, value)
        else:
            found = fields.number(given, name, value, _LEAST.get(name, 0.0), 1e9)
            after[name] = int(found) if type(value) is int else found
    return type(before)(**after)


def _behaviour(before: Behaviour, changes: object) -> Behaviour:
    if not isinstance(changes, dict):
        raise Refused(400, messages.must_be("behaviour", "an object of switches"))
    after = asdict(before)
    known = {field.name for field in dataclasses.fields(Behaviour)}
    for name, value in cast("Json", changes).items():
        if name not in known:
            raise Refused(400, messages.unknown_switch(name, sorted(known)))
        if type(value) is not type(after[name]):
            raise Refused(
                400, messages.must_be(name, "a string" if isinstance(after[name], str) else "true or false")
            )
        after[name] = value
    if after["default_policy"] not in POLICIES:
        raise Refused(400, messages.must_be_one_of("default_policy", POLICIES, after["default_policy"]))
    if after["pause_error"] not in PAUSE_ERRORS:
        raise Refused(400, messages.must_be_one_of("pause_error", PAUSE_ERRORS, after["pause_error"]))
    if after["old_pause_error"] not in OLD_PAUSE_ERRORS:
        raise Refused(
            400, messages.must_be_one_of("old_pause_error", OLD_PAUSE_ERRORS, after["old_pause_error"])
        )
    return Behaviour(**after)


ROUTES: Final[tuple[tuple[str, str, Callable[..., Json]], ...]] = (
    ("GET", r"/account", show),
    ("PUT", r"/account", put),
    ("GET", r"/account/review", show_review),
    ("GET", r"/global-list", global_list),
    ("PUT", r"/global-list/([^/]+)", put_global),
    ("DELETE", r"/global-list/([^/]+)", delete_global),
    ("PUT", r"/verdicts/([^/]+)", put_verdict),
)
