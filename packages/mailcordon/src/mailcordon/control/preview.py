"""How targets, and what is about to happen to them, are put into words: the same in the API, the CLI, the audit and the log."""

from collections.abc import Sequence

from mailcordon.core.hold import Hold
from mailcordon.core.target import LaneCounts, Preview, Target

ACTIONS = ("cordon", "uncordon", "cancel")


def describe(target: Target, slug: str, type: str | None) -> str:
    """`newsletter of acme to gmail`."""
    if type is not None:
        words = f"{type} of {slug}"
    elif target.class_ is not None:
        words = f"{target.class_.word} of {slug}"
    else:
        words = f"all of {slug}"
    if target.provider is not None:
        words += f" to {target.provider.word}"
    if target.campaign is not None:
        words += f", campaign {target.campaign}"
    if target.list is not None:
        words += f", list {target.list}"
    return words


def effect(action: str, preview: Preview, slug: str) -> str:
    """One sentence (or a few) that says what the action will do, before it does it."""
    lanes = _enumerate([lane.type for lane in preview.lanes])
    queued = sum(lane.ready + lane.waiting for lane in preview.lanes)
    on_the_wire = sum(lane.sending for lane in preview.lanes)
    what = describe(preview.target, slug, _only_type(preview))
    if not preview.lanes:
        return f"{slug} has no such lane: nothing would happen."
    if action == "cordon":
        said = f"Stops {what} ({lanes}): {_deliveries(queued)} and all that follow wait"
        said += " until it is lifted, or until they expire."
        return said + _not_recalled(on_the_wire)
    if action == "cancel":
        said = f"Drops {_deliveries(queued)} of {what} ({lanes}) for ever; what is handed in later is not concerned."
        return said + _not_recalled(on_the_wire)
    return _uncordon(preview, what)


def liftable(preview: Preview) -> list[Hold]:
    """The holds that lifting by target means: a person's, aimed at exactly this. Others are lifted by their number."""
    return [hold for hold in preview.holds if hold.owner == "person" and preview.target.is_that_of(hold)]


def released(preview: Preview, lifting: Sequence[Hold]) -> list[LaneCounts]:
    """The lanes that nothing stops any more once these holds are gone."""
    gone = {hold.id for hold in lifting}
    left = [hold for hold in preview.holds if hold.id not in gone and hold.stops and not hold.narrow]
    tenant = preview.target.tenant
    covered = [
        lane
        for lane in preview.lanes
        if any(hold.covers_lane(tenant, lane.class_, lane.lane) for hold in lifting)
    ]
    return [
        lane for lane in covered if not any(hold.covers_lane(tenant, lane.class_, lane.lane) for hold in left)
    ]


def untouched(preview: Preview, slug: str) -> str:
    if not preview.untouched and not preview.target.narrow:
        return "Every other tenant."
    own = [f"{_enumerate(list(preview.untouched))} of {slug}"] if preview.untouched else []
    if preview.target.narrow and preview.lanes:
        own.append("all else in " + _enumerate([lane.type for lane in preview.lanes]))
    return f"{'; '.join(own)}; every other tenant."


def _uncordon(preview: Preview, what: str) -> str:
    lifting = liftable(preview)
    others = [hold for hold in preview.holds if hold not in lifting]
    if not lifting:
        if not others:
            return f"Nothing holds {what}: nothing would happen."
        return f"No person's hold is aimed at exactly {what}; {_numbers(others)}."
    free = released(preview, lifting)
    queued = sum(lane.ready + lane.waiting for lane in free)
    said = f"Lifts {_enumerate([f'hold {hold.id} ({hold.because})' for hold in lifting])}"
    if free:
        said += f": {_deliveries(queued)} of {_enumerate([lane.type for lane in free])} leave by themselves."
    else:
        said += ", but nothing leaves yet."
    return said + (f" Left in place: {_numbers(others)}." if others else "")


def _numbers(holds: Sequence[Hold]) -> str:
    return _enumerate([f"hold {hold.id} of {hold.owner} ({hold.because})" for hold in holds])


def _only_type(preview: Preview) -> str | None:
    return preview.lanes[0].type if preview.target.lane is not None and preview.lanes else None


def _not_recalled(on_the_wire: int) -> str:
    return f" {_deliveries(on_the_wire)} already on the wire cannot be recalled." if on_the_wire else ""


def _deliveries(count: int) -> str:
    return "1 delivery" if count == 1 else f"{count:,} deliveries"


def _enumerate(words: Sequence[str]) -> str:
    if len(words) < 2:
        return "".join(words)
    return f"{', '.join(words[:-1])} and {words[-1]}"
