"""The tenants file of a report: what `mailcordon plan -f` takes, with each guess marked beside it. Pure."""

from collections import Counter
from collections.abc import Sequence

from mailcordon.control.assess.owners import slug as slug_of
from mailcordon.control.assess.tenants import Lane, Portrait
from mailcordon.messages import assess as messages

#: Own configuration sets are bought for those whose mail has to be stopped alone. Everybody else begins with the sets of a class.
DEDICATED = "dedicated: true"


def draft(portraits: Sequence[Portrait]) -> str:
    """YAML. A domain belongs to one tenant: one that several use is replaced by one below it for each."""
    users = Counter(domain for each in portraits for domain in {lane.domain for lane in each.lanes})
    taken = {domain: each.slug for each in portraits for domain in _domains(each) if users[domain] == 1}
    lines = [f"# {line}" for line in messages.tenants_file().splitlines()]
    lines += ["version: 1", "tenants:" if any(each.lanes for each in portraits) else "tenants: {}"]
    for each in portraits:
        if each.lanes:
            lines += _tenant(each, users, taken)
    return "\n".join(lines) + "\n"


def _tenant(portrait: Portrait, users: Counter[str], taken: dict[str, str]) -> list[str]:
    lines = [
        _with(
            f"  {portrait.slug}:", None if portrait.by.sure else messages.guessed_tenant(by=portrait.by.value)
        )
    ]
    if portrait.endangers:
        lines.append(f"    {DEDICATED}")
    lines.append("    types:")
    for lane in portrait.lanes:
        domain = _domain(lane, portrait, users, taken)
        guess = lane.guess
        said = [messages.guessed_type(word=guess.by, where=guess.where, critical=guess.critical)]
        if domain != lane.domain:
            said.append(messages.shared_domain(domain=lane.domain, others=users[lane.domain] - 1))
        lines.append(_with(f"      {lane.type}: {domain}", "; ".join(filter(None, said))))
    return lines


def _domains(portrait: Portrait) -> set[str]:
    return {lane.domain for lane in portrait.lanes}


def _domain(lane: Lane, portrait: Portrait, users: Counter[str], taken: dict[str, str]) -> str:
    """The lane's own domain, or one below it that nobody has."""
    if users[lane.domain] == 1:
        return lane.domain
    name, number = f"{portrait.slug}.{lane.domain}", 2
    while taken.get(name, portrait.slug) != portrait.slug:
        name, number = f"{slug_of(portrait.slug)}-{number}.{lane.domain}", number + 1
    taken[name] = portrait.slug
    return name


def _with(line: str, comment: str | None) -> str:
    return line if not comment else f"{line}  # {comment}"
