"""The admin API: JSON over HTTP below `/_seslocal/`, for people and tests. Reads the ledger; sets mailboxes, faults and
statuses; resets. Every error is a sentence."""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable, Iterator
from dataclasses import asdict
from typing import Any, Final, cast
from urllib.parse import parse_qsl, unquote

import msgspec

from seslocal.admin import (
    account_calls,
    clock_calls,
    dedicated_ip_calls,
    dns_calls,
    event_calls,
    fault_calls,
    fields,
    job_calls,
    key_calls,
    messages,
    scenario,
    settle_calls,
    smtp_calls,
    tenant_calls,
    world_calls,
)
from seslocal.admin.fields import Json, Query, Refused
from seslocal.admin.late import Late
from seslocal.clock import Clock
from seslocal.events.firehose import flush
from seslocal.mail.parts import read_parts
from seslocal.mail.tracking import LOCKED, as_delivered
from seslocal.state.account import Account
from seslocal.state.firehose_streams import FirehoseStream
from seslocal.state.ledger import LedgerEntry
from seslocal.state.mailboxes import FATES, Mailbox
from seslocal.state.scenario import Step
from seslocal.state.settings import Settings
from seslocal.wire.protocol import Request, Response

PREFIX: Final = "/_seslocal"
_IDENTITY_STATUSES: Final = ("PENDING", "SUCCESS", "FAILED", "TEMPORARY_FAILURE", "NOT_STARTED")
_MAILBOX: Final = (
    "fate",
    "tenant",
    "subtype",
    "then",
    "seconds",
    "delays",
    "diagnostic",
    "opens",
    "clicks",
)
_MODULES: Final = (
    account_calls,
    clock_calls,
    dns_calls,
    event_calls,
    settle_calls,
    smtp_calls,
    job_calls,
    key_calls,
    dedicated_ip_calls,
    tenant_calls,
    world_calls,
)  #: more calls, with the account as first argument
_MOST_ENTRIES: Final = 1000
_FILTERS: Final = ("recipient", "tenant", "configuration_set", "limit", "after", "order")


class Admin:
    """`account` returns the current account; `reset` starts a new one; `close_idle` closes idle connections and returns
    how many."""

    def __init__(
        self,
        account: Callable[[], Account],
        reset: Callable[[], None],
        close_idle: Callable[[int | None], int],
    ) -> None:
        self._account = account
        self._reset = reset
        self._close_idle = close_idle
        self._routes: list[tuple[str, re.Pattern[str], Callable[..., Any]]] = [
            (method, re.compile(pattern), act)
            for method, pattern, act in (
                ("GET", r"/health", self._health),
                ("GET", r"/sent", self._sent),
                ("GET", r"/sent/([^/]+)", self._one_sent),
                ("GET", r"/sent/([^/]+)/html", self._html_sent),
                ("GET", r"/sent/([^/]+)/eml", self._eml_sent),
                ("GET", r"/mailboxes", self._mailboxes),
                ("GET", r"/mailboxes/([^/]+)", self._mailbox),
                ("PUT", r"/mailboxes/([^/]+)", self._put_mailbox),
                ("DELETE", r"/mailboxes/([^/]+)", self._delete_mailbox),
                ("GET", r"/faults", self._faults),
                ("POST", r"/faults", self._add_fault),
                ("DELETE", r"/faults", self._delete_faults),
                ("DELETE", r"/faults/([^/]+)", self._delete_fault),
                ("PUT", r"/identities/([^/]+)", self._put_identity),
                ("PUT", r"/topics/([^/]+)", self._put_topic),
                ("GET", r"/streams", self._streams),
                ("PUT", r"/streams/([^/]+)", self._put_stream),
                ("DELETE", r"/streams/([^/]+)", self._delete_stream),
                ("POST", r"/streams/([^/]+)/flush", self._flush_stream),
                ("GET", r"/outbox", self._outbox),
                ("GET", r"/cloudwatch", self._cloudwatch),
                ("GET", r"/scenario", self._show_scenario),
                ("POST", r"/scenario", self._post_scenario),
                ("POST", r"/reset", self._post_reset),
                *(
                    (method, pattern, self._on_account(act))
                    for module in _MODULES
                    for method, pattern, act in module.ROUTES
                ),
            )
        ]

    def respond(self, request: Request) -> Response | Awaitable[Response]:
        try:
            result = self._dispatch(request)
        except Refused as refused:
            return self.refuse(refused.status, str(refused))
        if isinstance(result, Late):
            return self._respond_late(result)
        return result if isinstance(result, Response) else _json(200, result)

    async def _respond_late(self, late: Late) -> Response:
        try:
            return _json(200, await late.wait())
        except Refused as refused:
            return self.refuse(refused.status, str(refused))

    def refuse(self, status: int, sentence: str, *headers: tuple[str, str]) -> Response:
        return Response(status, msgspec.json.encode({"error": sentence}), headers=headers)

    def perform(self, method: str, path: str, body: Json) -> Any:
        """Makes an admin call from a scenario. `path` is below the prefix. Raises Refused."""
        path, _, query = path.partition("?")
        act, names = self._find(method, path)
        result = act(*names, _query(query), body)
        return result.at_once() if isinstance(result, Late) else result

    def check(self, method: str, path: str, body: Json) -> None:
        """Raises Refused if such a call can never succeed."""
        self._find(method, path.partition("?")[0])
        if path == "/faults" and method == "POST":
            fault_calls.read(Account(Settings(), Clock(0.0, 0)), body)
        if path == "/world" and method == "PUT":
            world_calls.put(Account(Settings(), Clock(0.0, 0)), {}, body)

    def start_scenario(self, steps: list[Step]) -> None:
        account = self._account()
        account.faults.scenario = steps
        scenario.start(steps, account.clock, self.perform)

    def _dispatch(self, request: Request) -> Json | Response | Late:
        act, names = self._find(request.method, request.path[len(PREFIX) :])
        return act(*names, _query(request.query), fields.body(request))

    def _find(self, method: str, path: str) -> tuple[Callable[..., Any], list[str]]:
        methods: list[str] = []
        path = path.rstrip("/")
        for known, pattern, act in self._routes:
            match = pattern.fullmatch(path)
            if match is None:
                continue
            methods.append(known)
            if known == method:
                return act, [unquote(group, errors="replace") for group in match.groups()]
        if methods:
            raise Refused(405, messages.wrong_method(path, method, methods))
        raise Refused(404, messages.no_call(PREFIX + path))

    def _on_account(self, act: Callable[..., Json]) -> Callable[..., Json]:
        return lambda *given: act(self._account(), *given)

    # the ledger

    def _health(self, query: Query, body: Json) -> Json:
        account = self._account()
        return {
            "status": "ok",
            "region": account.region,
            "account": account.id,
            "sent": account.mail.ledger.total,
        }

    def _sent(self, query: Query, body: Json) -> Json:
        ledger = self._account().mail.ledger
        limit = fields.whole_number(query, "limit", 100, 1, _MOST_ENTRIES)
        if query.get("order", "oldest") not in ("oldest", "newest"):
            raise Refused(400, messages.must_be_one_of("order", ("oldest", "newest"), query["order"]))
        if "after" in query:
            after = ledger.get(query["after"])
            if after is None:
                raise Refused(404, messages.not_in_ledger(query["after"]))
            entries: Iterator[LedgerEntry] = ledger.since(after.number)
        else:
            entries = ledger.newest_first() if query.get("order") == "newest" else ledger.since(0)
        found = list(_first(filter(_filter(query), entries), limit + 1))
        page = found[:limit]
        return {
            "sent": [entry.shown() for entry in page],
            "next": page[-1].message_id if len(found) > limit else None,
            "total": ledger.total,
            "kept": len(ledger),
        }

    def _one_sent(self, message_id: str, query: Query, body: Json) -> Json:
        entry = self._account().mail.ledger.get(message_id)
        if entry is None:
            raise Refused(404, messages.not_in_ledger(message_id))
        return {**entry.shown(), "content": entry.content and msgspec.Raw(entry.content)}

    def _html_sent(self, message_id: str, query: Query, body: Json) -> Response:
        account = self._account()
        entry = account.mail.ledger.get(message_id)
        parts = entry and read_parts(entry)
        if not parts or parts.html is None:
            raise Refused(404, messages.no_html(message_id))
        html = as_delivered(account, message_id, parts.html, account.url)
        return Response(200, html.encode("utf-8", "replace"), "text/html; charset=utf-8", LOCKED)

    def _eml_sent(self, message_id: str, query: Query, body: Json) -> Response:
        entry = self._account().mail.ledger.get(message_id)
        parts = entry and read_parts(entry)
        if not parts or not parts.source:
            raise Refused(404, messages.no_source(message_id))
        file = ("Content-Disposition", f'attachment; filename="{message_id}.eml"')
        return Response(200, parts.source, "message/rfc822", (*LOCKED, file))

    # mailboxes

    def _mailboxes(self, query: Query, body: Json) -> Json:
        by_tenant = self._account().mailboxes.by_tenant
        return {
            "mailboxes": [
                {"address": address, "tenant": tenant, **asdict(mailbox)}
                for tenant, boxes in by_tenant.items()
                for address, mailbox in boxes.items()
            ]
        }

    def _mailbox(self, address: str, query: Query, body: Json) -> Json:
        tenant = query.get("tenant")
        mailbox = self._account().mailboxes.by_tenant.get(tenant, {}).get(address.lower())
        if mailbox is None:
            raise Refused(404, messages.mailbox_not_set(address, tenant))
        return {"address": address.lower(), "tenant": tenant, **asdict(mailbox)}

    def _put_mailbox(self, address: str, query: Query, body: Json) -> Json:
        fields.allow_only(body, *_MAILBOX)
        tenant, then = fields.text(body, "tenant"), fields.text(body, "then")
        if "@" not in address:
            raise Refused(400, messages.not_an_address(address))
        fate = fields.choice(body, "fate", FATES)
        if fate is None:
            raise Refused(400, messages.missing("fate", FATES))
        if then is not None and then not in (*FATES, "nothing"):
            raise Refused(400, messages.must_be_one_of("then", (*FATES, "nothing"), then))
        if then is not None and fate in ("bounces", "complains"):
            raise Refused(400, messages.nothing_follows(fate))
        delays = _count(body, "delays", 1, 1)
        seconds = fields.number(body, "seconds", 0.0, 0.0, 1e9)
        diagnostic = fields.text(body, "diagnostic")
        opens, clicks = _count(body, "opens", 0, 0), _count(body, "clicks", 0, 0)
        subtype = fields.text(body, "subtype")
        mailbox = Mailbox(fate, subtype, then, seconds, delays, diagnostic, opens, clicks)
        try:
            _ = mailbox.plan
        except KeyError:
            raise Refused(400, messages.unknown_subtype(mailbox.subtype, fate)) from None
        self._account().mailboxes.put(address, tenant, mailbox)
        return {"address": address.lower(), "tenant": tenant, **asdict(mailbox)}

    def _delete_mailbox(self, address: str, query: Query, body: Json) -> Json:
        tenant = query.get("tenant")
        if not self._account().mailboxes.delete(address, tenant):
            raise Refused(404, messages.mailbox_not_set(address, tenant))
        return {}

    # faults

    def _faults(self, query: Query, body: Json) -> Json:
        return {"faults": [fault_calls.shown(fault) for fault in self._account().faults.active.values()]}

    def _add_fault(self, query: Query, body: Json) -> Json:
        account = self._account()
        fault = fault_calls.read(account, body)
        fault_calls.start(account, fault, self._close_idle)
        return fault_calls.shown(fault)

    def _delete_faults(self, query: Query, body: Json) -> Json:
        fault_calls.end_all(self._account())
        return {}

    def _delete_fault(self, fault_id: str, query: Query, body: Json) -> Json:
        if not fault_calls.end(self._account(), fault_id):
            raise Refused(404, messages.no_fault(fault_id))
        return {}

    # the account

    def _put_identity(self, name: str, query: Query, body: Json) -> Json:
        fields.allow_only(body, "status", "mail_from_status")
        identity = self._account().identities.get(name.lower())
        if identity is None:
            raise Refused(404, messages.no_such("identity", name))
        status = fields.choice(body, "status", _IDENTITY_STATUSES)
        mail_from = fields.choice(body, "mail_from_status", _IDENTITY_STATUSES[:4])
        if status is not None:
            identity.set_status(status, self._account().clock.now())
        identity.mail_from_status = mail_from or identity.mail_from_status
        return {
            "identity": identity.name,
            "status": identity.status,
            "mail_from_status": identity.mail_from_status if identity.mail_from else None,
        }

    def _put_topic(self, name: str, query: Query, body: Json) -> Json:
        fields.allow_only(body, "raw")
        account = self._account()
        if fields.boolean(body, "raw", False):
            account.events.raw_topics.add(name)
        else:
            account.events.raw_topics.discard(name)
        return {"topic": name, "raw": name in account.events.raw_topics}

    def _streams(self, query: Query, body: Json) -> Json:
        return {"streams": [_stream_shown(stream) for stream in self._account().events.streams.values()]}

    def _put_stream(self, name: str, query: Query, body: Json) -> Json:
        fields.allow_only(body, "url", "access_key", "seconds", "bytes", "attributes")
        url = fields.text(body, "url") or ""
        if not re.match(r"https?://[^/]+", url):
            raise Refused(400, messages.stream_url_missing())
        attributes: object = body.get("attributes", {})
        if not isinstance(attributes, dict):
            raise Refused(400, messages.must_be("attributes", "an object of strings"))
        pairs = {str(key): str(value) for key, value in cast("Json", attributes).items()}
        most = int(fields.number(body, "bytes", 5 * 1024 * 1024, 1.0, 64 * 1024 * 1024))
        seconds = fields.number(body, "seconds", 60.0, 0.0, 900.0)
        stream = FirehoseStream(name, url, fields.text(body, "access_key"), seconds, most, pairs)
        self._account().events.streams[name] = stream
        return _stream_shown(stream)

    def _delete_stream(self, name: str, query: Query, body: Json) -> Json:
        if self._account().events.streams.pop(name, None) is None:
            raise Refused(404, messages.stream_not_set(name))
        return {}

    def _flush_stream(self, name: str, query: Query, body: Json) -> Json:
        account = self._account()
        if name not in account.events.streams:
            raise Refused(404, messages.stream_not_set(name))
        return {"records": flush(account, account.events.streams[name])}

    def _outbox(self, query: Query, body: Json) -> Json:
        outbox = self._account().events.outbox
        return {"sent": outbox.sent, "dropped": outbox.dropped, "waiting": outbox.waiting}

    def _cloudwatch(self, query: Query, body: Json) -> Json:
        account = self._account()
        metrics, review = account.events.cloudwatch, account.sending.review
        review.move(account.clock.now())
        rates = {"BounceRate": review.bounces, "ComplaintRate": review.complaints}
        return {
            "metrics": metrics.shown(),
            "dropped": metrics.dropped,
            "reputation": {
                f"Reputation.{name}": volume.rate for name, volume in rates.items() if volume.mails
            },
        }

    def _show_scenario(self, query: Query, body: Json) -> Json:
        return {"steps": [step.shown() for step in self._account().faults.scenario]}

    def _post_scenario(self, query: Query, body: Json) -> Json:
        fields.allow_only(body, "steps")
        self.start_scenario(scenario.read(body.get("steps"), self.check))
        return self._show_scenario(query, body)

    def _post_reset(self, query: Query, body: Json) -> Json:
        self._reset()
        return {}


def _count(body: Json, name: str, default: int, low: int) -> int:
    """Returns a whole number up to 100. Raises Refused."""
    given = body.get(name, default)
    if type(given) is not int or not low <= given <= 100:
        raise Refused(400, messages.out_of_range(name, low, 100, whole=True))
    return given


def _query(text: str) -> Query:
    return dict(parse_qsl(text, keep_blank_values=True, errors="replace"))


def _json(status: int, value: object) -> Response:
    return Response(status, msgspec.json.encode(value))


def _first(entries: Iterator[LedgerEntry], count: int) -> Iterator[LedgerEntry]:
    for index, entry in enumerate(entries, 1):
        yield entry
        if index >= count:
            return


def _filter(query: Query) -> Callable[[LedgerEntry], bool]:
    recipient, tenant = query.get("recipient", "").lower(), query.get("tenant")
    configuration_set = query.get("configuration_set")
    tags = {name[4:]: value for name, value in query.items() if name.startswith("tag.")}
    unknown = [n for n in query if n not in _FILTERS and n[:4] != "tag."]
    if unknown:
        raise Refused(400, messages.unknown_filter(unknown[0], _FILTERS))

    def fits(entry: LedgerEntry) -> bool:
        return (
            (not recipient or any(address.lower() == recipient for address in entry.recipients))
            and (tenant is None or entry.tenant == tenant)
            and (configuration_set is None or entry.configuration_set == configuration_set)
            and all(entry.has_tag(name, value) for name, value in tags.items())
        )

    return fits


def _stream_shown(stream: FirehoseStream) -> Json:
    return {
        "stream": stream.name,
        "url": stream.url,
        "seconds": stream.seconds,
        "bytes": stream.most_bytes,
        "attributes": stream.attributes,
        "waiting": len(stream.records),
    }
