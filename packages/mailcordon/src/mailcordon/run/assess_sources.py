"""What an assessment reads beside SES: files of events, rules of a person, and what a running Mailcordon has counted."""

import csv
from collections.abc import Iterator, Sequence
from datetime import date, timedelta
from pathlib import Path
from typing import TYPE_CHECKING

from mailcordon.control.assess.account import Count
from mailcordon.control.assess.observed import Lane, Observed
from mailcordon.control.assess.owners import Rules
from mailcordon.control.assess.reading import WEEKS
from mailcordon.control.assess.traffic import Seen
from mailcordon.core.errors import BadConfig
from mailcordon.messages import assess as messages

if TYPE_CHECKING:
    from mailcordon.adapters.cli.client import Client
    from mailcordon.adapters.cli.document import Document
    from mailcordon.control.observing import NewRule

_COLUMNS = ("by", "name", "value", "tenant", "type", "type_tag")
_MOST = 1_000_000  #: lines of a list
_UNMAPPED_DAYS = 7 * WEEKS


def read_events(name: str) -> Iterator[Seen]:
    """What the events of a file say. Raises BadConfig: the file cannot be read, or has no event of SES."""
    from mailcordon.adapters.cli import event_files
    from mailcordon.adapters.ses import seen_events

    none = True
    try:
        with event_files.open_file(name) as file:
            for document in event_files.documents(file):
                for seen in seen_events.seen(document):
                    none = False
                    yield seen
    except (OSError, EOFError) as error:
        why = getattr(error, "strerror", None) or str(error)
        raise BadConfig(messages.file_not_readable(file=name, why=why)) from None
    if none:
        raise BadConfig(messages.no_events(file=name))


def read_rules(file: Path) -> Rules:
    """The CSV file of `mailcordon observe import`. Raises BadConfig."""
    from mailcordon.control import observing
    from mailcordon.core.errors import Invalid
    from mailcordon.core.observing import By

    rules: list[observing.NewRule] = []
    try:
        with file.open(encoding="utf-8-sig", newline="") as text:
            for number, row in enumerate(csv.DictReader(text), 2):
                given = {name: (row.get(name) or "").strip() or None for name in _COLUMNS}
                try:
                    rule = observing.NewRule(
                        by=By(given["by"] or ""),
                        name=given["name"],
                        value=given["value"] or "",
                        tenant=given["tenant"] or "",
                        type=given["type"],
                        type_tag=given["type_tag"],
                    )
                    rules += observing.check([rule])
                except (ValueError, Invalid) as error:
                    why = str(error).rstrip(".")
                    raise BadConfig(messages.bad_rules(line=number, why=why)) from None
    except (OSError, UnicodeDecodeError) as error:
        why = getattr(error, "strerror", None) or str(error)
        raise BadConfig(messages.file_not_readable(file=str(file), why=why)) from None
    return _rules(rules)


def _rules(rules: Sequence["NewRule"]) -> Rules:
    from mailcordon.core.observing import By

    return Rules(
        tags={(each.name or "", each.value): each.tenant for each in rules if each.by is By.TAG},
        sets={each.value: each.tenant for each in rules if each.by is By.SET},
        senders={each.value: each.tenant for each in rules if each.by in (By.FROM, By.IDENTITY)},
        types={
            (each.by.value, each.value if each.name is None else f"{each.name}={each.value}"): each.type
            for each in rules
            if each.type is not None
        },
        type_tags=frozenset(each.type_tag for each in rules if each.type_tag is not None),
    )


async def read_observed(api: "Client", today: date) -> Observed:
    """What a Mailcordon has counted in the weeks that VDM is asked for, and its rules. Raises Failure: it does not answer, or the
    key may not read all tenants."""
    from mailcordon.adapters.cli.document import children
    from mailcordon.control.observing import NewRule
    from mailcordon.core.observing import By

    found = children(await api.items("/v1/observed/rules", limit=_MOST), "items")
    rules = [
        NewRule(
            by=By(each["by"]),
            name=each.get("name"),
            value=each["value"],
            tenant=each["tenant"],
            type=each.get("type"),
            type_tag=each.get("type_tag"),
        )
        for each in found
    ]
    lanes: dict[Lane, dict[date, Count]] = {}
    first = today - timedelta(days=today.weekday(), weeks=WEEKS - 1)
    for week in range(WEEKS):
        monday = first + timedelta(weeks=week)
        window = {"since": _time(monday), "until": _time(monday + timedelta(weeks=1))}
        for line in children(await api.items("/v1/metrics", {"by": "lane", **window}, limit=_MOST), "items"):
            if (count := _count(line)).sent:
                lanes.setdefault(Lane(tenant=line["tenant"], type=line["type"]), {})[monday] = count
    by_provider: dict[str, dict[str, Count]] = {}
    since = {"since": _time(first)}
    providers = await api.items("/v1/metrics", {"by": "provider", **since}, limit=_MOST)
    for provider in (each["provider"] for each in children(providers, "items") if each["sent"]):
        query = {"by": "tenant", "provider": provider, **since}
        for line in children(await api.items("/v1/metrics", query, limit=_MOST), "items"):
            if (count := _count(line)).sent:
                by_provider.setdefault(line["tenant"], {})[provider] = count
    unmapped = await api.get("/v1/observed/unmapped", {"days": _UNMAPPED_DAYS, "limit": 1_000})
    return Observed(
        rules=_rules(rules),
        lanes=lanes,
        by_provider=by_provider,
        unmapped=sum(each["mails"] for each in children(unmapped, "items")),
    )


def _time(day: date) -> str:
    return f"{day.isoformat()}T00:00:00Z"


def _count(line: "Document") -> Count:
    return Count(line["sent"], line["hard_bounced"], line["complained"])
