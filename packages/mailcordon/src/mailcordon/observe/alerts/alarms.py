"""The alarm that a channel does not work. Pure."""

from mailcordon.core.incident import Alarm, Kind, Scope, ScopeKind
from mailcordon.messages import alerts as messages
from mailcordon.observe.alerts.plan import OWN_CAUSE

FAILS_FOR_MS = 120_000  #: a receiver may be restarted


def channel_fails(name: str, form: str, target: str, since: int, problem: str) -> Alarm:
    return Alarm(
        key=f"alert-channel:{name}",
        kind=Kind.SERVICE,
        cause=OWN_CAUSE + name,
        severity="high",
        scope=Scope(kind=ScopeKind.PROCESS, name=f"alert channel {name}"),
        sentence=messages.channel_fails(name, target, problem),
        next=messages.channel_fails_next(name),
        command=f"mailcordon alert channel test {name}",
        since=since,
        culprit=messages.channel_receiver(target),
        evidence={"form": form},
    )
