"""The tenants file of a report: what `mailcordon plan -f` takes, with each guess marked beside it. Pure."""

from collections import Counter
from collections.abc import Sequence

from mailcordon.control.assess.tenants import Lane, Portrait
from mailcordon.messages import assess as messages

#: Own configuration sets are bought for those whose mail has to be stopped alone. Everybody else begins with the sets of a class.
DEDICATED = "dedicated: true"


def draft(portraits: Sequence[Portrait]) -> str:
    """YAML. A domain belongs to one tenant, and so does all below it: one that several use, or that is above another tenant's, is
    replaced by one below it for each."""
    names = _Names(portraits)
    lines = [f"# {line}" for line in messages.tenants_file().splitlines()]
    lines += ["version: 1", "tenants:" if any(each.lanes for each in portraits) else "tenants: {}"]
    for each in portraits:
        if each.lanes:
            lines += _tenant(each, names)
    return "\n".join(lines) + "\n"


class _Names:
    """Which domain each lane gets."""

    def __init__(self, portraits: Sequence[Portrait]) -> None:
        self.users = Counter(domain for each in portraits for domain in {lane.domain for lane in each.lanes})
        self._above: dict[str, set[str]] = {}  #: tenants with a domain below, by domain
        self._taken: dict[str, str] = {}
        for each in portraits:
            for domain in {lane.domain for lane in each.lanes}:
                if self.users[domain] == 1:
                    self._taken[domain] = each.slug
                labels = domain.split(".")
                for at in range(1, len(labels) - 1):
                    self._above.setdefault(".".join(labels[at:]), set()).add(each.slug)

    def of(self, lane: Lane, slug: str) -> tuple[str, str | None]:
        """The domain, and why it is another one."""
        others = self.users[lane.domain] - 1
        if others:
            why = messages.shared_domain(domain=lane.domain, others=others)
        elif self._above.get(lane.domain, set()) - {slug}:
            why = messages.domain_above(domain=lane.domain)
        else:
            return lane.domain, None
        name, number = f"{slug}.{lane.domain}", 2
        while self._taken.get(name, slug) != slug or self._above.get(name, set()) - {slug}:
            name, number = f"{slug}-{number}.{lane.domain}", number + 1
        self._taken[name] = slug
        return name, why


def _tenant(portrait: Portrait, names: _Names) -> list[str]:
    guess = None if portrait.by.sure else messages.guessed_tenant(by=portrait.by.value)
    lines = [_with(f"  {portrait.slug}:", guess)]
    if portrait.endangers:
        lines.append(f"    {DEDICATED}")
    lines.append("    types:")
    for lane in portrait.lanes:
        domain, why = names.of(lane, portrait.slug)
        by = messages.guessed_type(word=lane.guess.by, where=lane.guess.where, critical=lane.guess.critical)
        lines.append(_with(f"      {lane.type}: {domain}", "; ".join(filter(None, (by, why)))))
    return lines


def _with(line: str, comment: str | None) -> str:
    return line if not comment else f"{line}  # {comment}"
