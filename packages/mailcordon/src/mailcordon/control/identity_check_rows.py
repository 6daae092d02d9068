"""What a stored check found, as lines for people: by subject, with what has lapsed, and the rules of mailbox providers."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

from mailcordon.control.authentication import sender_rules
from mailcordon.control.authentication.judgement import MailAnswer, Result
from mailcordon.control.authentication.subject import Mail
from mailcordon.control.identity_checks import Checked
from mailcordon.control.lapses import Suspicion
from mailcordon.core.priority import Class
from mailcordon.messages import identities as messages
from mailcordon.messages import times


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """One line of what a check found."""

    what: Literal["ses", "dkim", "mail-from", "dmarc", "other"]
    state: Literal["ok", "pending", "lapsed", "error", "warning", "note", "unknown"]
    says: str
    record: str | None = None  #: the name it is about
    publish: Mapping[str, str] | None = None  #: {type, name, value} that would mend it


def rows(found: Checked) -> list[Row]:
    """What a check found, by subject: what SES says first, then each fault, and a line for each subject without one."""
    result = found.check.result
    ses, faults = result["ses"], result["faults"]
    lapsed = {each.loss.key: each for each in found.state.suspicions}
    out = [
        Row(
            what="ses",
            state=_ses_state(ses["status"]),
            says=messages.ses_says(ses["status"], ses["mail_from_status"]),
        )
    ]
    for what in ("dkim", "mail-from", "dmarc"):
        own = [each for each in faults if each["what"] == what]
        if all(each["severity"] == "note" and not each["unsure"] for each in own):
            says = messages.is_right(what, found.domain, ses["mail_from"])
            out.append(Row(what=what, state="ok", says=says))
        out += [_row(what, each, lapsed.get((each["code"], each["record"]))) for each in own]
    out += [_row("other", each, None) for each in faults if each["what"] is None]
    return out


def _row(what: Any, fault: Mapping[str, Any], suspicion: Suspicion | None) -> Row:
    says = str(fault["says"])
    state: Any = "unknown" if fault["unsure"] else fault["severity"]
    if suspicion is not None and suspicion.lapsed_at is not None:
        state, more = "lapsed", messages.lapsed_since(times.minute(suspicion.lapsed_at))
        says = f"{says.rstrip('.')}. {more}"
    elif suspicion is not None:
        more = messages.suspected_since(times.minute(suspicion.since), suspicion.agreed)
        says = f"{says.rstrip('.')}. {more}"
    return Row(what=what, state=state, says=says, record=fault["record"] or None, publish=fault["publish"])


def _ses_state(status: str | None) -> Literal["ok", "pending", "error"]:
    return (
        "ok" if status == "SUCCESS" else "error" if status in ("FAILED", "TEMPORARY_FAILURE") else "pending"
    )


def rules_for_bulk_senders(lane: Mapping[str, Any]) -> tuple[sender_rules.Checked, ...]:
    """The checklist of a lane, from an element of `lanes` of a stored result."""
    answer = MailAnswer(
        mail=Mail(lane=lane["type"] or "", from_domain=lane["from_domain"]),
        result=Result(lane["result"]),
        sentence=lane["says"],
        organisation=lane["organisation"],
        policy=lane["policy"],
        dkim=lane["dkim"],
        spf=lane["spf"],
    )
    return sender_rules.checklist(answer, marketing=lane["class"] == Class.MARKETING.word)
