"""The alarms that nothing is sent to an endpoint any more, or that nothing arrives at one of the platform's. Pure."""

from mailcordon.core.incident import Alarm, Kind, Scope, ScopeKind
from mailcordon.messages import webhooks as messages

FAILS_FOR_MS = 3_600_000  #: the platform's own: a receiver may be down for a while, and nothing is lost


def endpoint_fails(
    name: str, tenant: tuple[int, str] | None, target: str, since: int, problem: str, *, paused: bool
) -> Alarm:
    """`tenant`: id and slug; None: the platform's own endpoint."""
    if tenant is None:
        scope = Scope(kind=ScopeKind.PROCESS, name=f"webhook {name}")
    else:
        scope = Scope(kind=ScopeKind.TENANT, name=tenant[1])
    return Alarm(
        key=f"webhook:{name}",
        kind=Kind.SERVICE,
        cause=f"webhook:{name}",
        severity="medium" if tenant is None else "low",
        scope=scope,
        sentence=messages.endpoint_fails(name, target, problem, paused=paused),
        next=messages.endpoint_fails_next(name, paused=paused),
        command=f"mailcordon webhook test {name}",
        since=since,
        culprit=messages.receiver(target),
        tenant=None if tenant is None else tenant[0],
        evidence={},
    )
