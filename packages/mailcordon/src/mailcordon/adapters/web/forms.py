"""What each form of channel is sent: the same facts as JSON for a webhook, as Slack's or PagerDuty's document, or as a mail."""

from collections.abc import Mapping
from typing import Any

from mailcordon.adapters.web import json_text
from mailcordon.core.incident import Severity
from mailcordon.messages import alerts as messages
from mailcordon.messages import notices as words
from mailcordon.observe.alerts.nouns import Due, DueNotice, Incident, Item, What

PAGERDUTY_URL = "https://events.pagerduty.com/v2/enqueue"
_PAGERDUTY_SEVERITY: Mapping[Severity, str] = {
    "critical": "critical",
    "high": "error",
    "medium": "warning",
    "low": "info",
}
_PAGERDUTY_ACTION = {What.ACKNOWLEDGED: "acknowledge", What.CLOSED: "resolve"}  #: the others trigger
_LONGEST_SUMMARY = 1_024  #: characters (PagerDuty Events API v2)
_LONGEST_SLACK_TEXT = 3_000  #: characters of a section (Slack's Block Kit)
_LONGEST_SUBJECT = 200


def webhook(due: Due, now: int) -> bytes:
    """A `type`, a `timestamp` and `data`, as Standard Webhooks recommends."""
    document = {
        "type": f"incident.{due.what.value}",
        "timestamp": json_text.iso(now),
        "data": {**_data(due.incident), "done": [_done(one) for one in due.done], "text": text(due, now)},
    }
    return json_text.encoded(document)


def slack(due: Due, now: int) -> bytes:
    headline, rest = title(due), lines(due, now)
    section = {"type": "mrkdwn", "text": _slack_text(f"*{_escaped(headline)}*\n{_escaped(rest)}")}
    document: dict[str, Any] = {
        "text": _escaped(headline),
        "blocks": [{"type": "section", "text": section}],
        "unfurl_links": False,
    }
    if due.incident.command is not None and due.what is not What.CLOSED:
        command = {"type": "mrkdwn", "text": _slack_text(f"```{_escaped(due.incident.command)}```")}
        document["blocks"].append({"type": "section", "text": command})
    return json_text.encoded(document)


def pagerduty(due: Due, now: int, *, routing_key: str, installation: str) -> bytes:
    incident = due.incident
    action = _PAGERDUTY_ACTION.get(due.what, "trigger")
    document: dict[str, Any] = {
        "routing_key": routing_key,
        "event_action": action,
        "dedup_key": f"mailcordon/{installation}/incident/{incident.id}",
    }
    if action == "trigger":
        document["payload"] = {
            "summary": title(due)[:_LONGEST_SUMMARY],
            "source": f"mailcordon/{installation}",
            "severity": _PAGERDUTY_SEVERITY[incident.severity],
            "timestamp": json_text.iso(incident.since),
            "component": incident.name,
            "group": incident.tenant_slug or "platform",
            "class": incident.kind.value,
            "custom_details": {"text": text(due, now), **_data(incident)},
        }
        document["client"] = "Mailcordon"
    return json_text.encoded(document)


def email(due: Due, now: int) -> tuple[str, str]:
    """Subject and text."""
    return title(due)[:_LONGEST_SUBJECT], text(due, now)


def title(due: Due) -> str:
    incident = due.incident
    return messages.title(due.what.value, incident.severity, incident.sentence, incident.id)


def lines(due: Due, now: int) -> str:
    """What, whose, since when, what was done, what next."""
    incident = due.incident
    return messages.alert(
        incident=incident.id,
        what=due.what.value,
        kind=incident.kind.value,
        severity=incident.severity,
        whose=incident.tenant_slug,
        culprit=incident.culprit,
        since=incident.since,
        now=now,
        done=[messages.done(one.at, one.author, one.text) for one in due.done],
        next=incident.next,
        mitigated=incident.mitigated_at,
        acknowledged_by=incident.acknowledged_by,
        closed=None
        if incident.closed_at is None
        else (incident.closed_at, incident.closed_by or "", incident.closed_because or ""),
        open_incidents=due.open_incidents,
    )


def text(due: Due, now: int) -> str:
    """All of it for people, with one command to paste."""
    command = None if due.what is What.CLOSED else due.incident.command
    return messages.whole(due.incident.sentence, lines(due, now), command)


def notice(due: DueNotice, now: int) -> tuple[str, str]:
    """Subject and text of what a tenant is told."""
    ended = all(item.ended for item in due.items)
    of_mail = any(item.kind != "webhook" for item in due.items)
    title = words.notice_title if of_mail else words.webhook_title
    return title(due.contact.slug, ended=ended), "\n\n".join(map(_item, due.items))


def _item(item: Item) -> str:
    if item.kind == "webhook":
        if item.ended:
            return words.webhook_resumed(item.mail)
        return words.webhook_paused(item.mail, item.why, item.since, item.resume)
    if item.ended:
        return words.notice_ended(item.mail, item.why)
    return words.notice_held(item.mail, item.why, item.since, item.until, item.resume)


def notice_webhook(due: DueNotice, now: int) -> bytes:
    document = {
        "type": "holds.changed",
        "timestamp": json_text.iso(now),
        "data": {
            "tenant": due.contact.slug,
            "items": [
                {
                    "kind": item.kind,
                    "number": item.number,
                    "state": "released" if item.ended else "held",
                    "mail": item.mail,
                    "why": item.why,
                    "since": json_text.iso(item.since),
                    "until": None if item.until is None else json_text.iso(item.until),
                    "resume": None if item.ended else item.resume,
                }
                for item in due.items
            ],
            "text": notice(due, now)[1],
        },
    }
    return json_text.encoded(document)


def test_webhook(now: int, sentence: str) -> bytes:
    return json_text.encoded({"type": "test", "timestamp": json_text.iso(now), "data": {"text": sentence}})


def test_slack(sentence: str) -> bytes:
    return json_text.encoded({"text": _escaped(sentence)})


def test_pagerduty(action: str, sentence: str, *, routing_key: str, installation: str, now: int) -> bytes:
    document: dict[str, Any] = {
        "routing_key": routing_key,
        "event_action": action,
        "dedup_key": f"mailcordon/{installation}/test/{now}",
    }
    if action == "trigger":
        source = f"mailcordon/{installation}"
        document["payload"] = {"summary": sentence, "source": source, "severity": "info"}
    return json_text.encoded(document)


def _data(incident: Incident) -> dict[str, object]:
    return {
        "incident": incident.id,
        "kind": incident.kind.value,
        "severity": incident.severity,
        "scope": incident.scope.value,
        "name": incident.name,
        "tenant": incident.tenant_slug,
        "culprit": incident.culprit,
        "sentence": incident.sentence,
        "next": incident.next,
        "command": incident.command,
        "since": json_text.iso(incident.since),
        "opened_at": json_text.iso(incident.opened_at),
        "mitigated_at": json_text.iso_or_none(incident.mitigated_at),
        "acknowledged_at": json_text.iso_or_none(incident.acknowledged_at),
        "acknowledged_by": incident.acknowledged_by,
        "closed_at": json_text.iso_or_none(incident.closed_at),
        "closed_because": incident.closed_because,
    }


def _done(one: Any) -> dict[str, object]:
    return {"at": json_text.iso(one.at), "author": one.author, "text": one.text}


def _escaped(words: str) -> str:
    """Slack's control characters: without this a sentence could mention everybody, or show a link as something else."""
    return words.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")


def _slack_text(words: str) -> str:
    return words if len(words) <= _LONGEST_SLACK_TEXT else words[: _LONGEST_SLACK_TEXT - 1] + "…"
