"""What an action of an operator will do, before it does it: pure, from the counts and holds of the lanes that it covers."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from mailcordon.control.stops import Covering
from mailcordon.core.hold import Hold
from mailcordon.core.priority import Class
from mailcordon.core.target import Target
from mailcordon.messages import holds as hold_messages

Action = Literal["cordon", "uncordon", "cancel"]


@dataclass(frozen=True, slots=True, kw_only=True)
class LaneCounts:
    """How many deliveries of one lane a target covers."""

    lane: int
    type: str
    class_: Class
    state: str  #: open, throttled or held, as it is now
    ready: int  #: could leave if nothing held it; expired deliveries are not counted
    waiting: int  #: for a retry, a schedule or a narrow hold
    sending: int  #: on the wire or outcome unknown: cannot be recalled


@dataclass(frozen=True, slots=True, kw_only=True)
class Preview:
    target: Target
    lanes: tuple[LaneCounts, ...]
    untouched: tuple[str, ...]  #: the types of the tenant's lanes that the target does not cover
    holds: tuple[Hold, ...]  #: open holds that cover any of these lanes


def mail_of(target: Target, slug: str, type: str | None) -> str:
    """`newsletter mail of acme to gmail`."""
    return hold_messages.mail_of(
        slug,
        type=type,
        class_=None if target.class_ is None else target.class_.word,
        provider=None if target.provider is None else target.provider.word,
        campaign=target.campaign,
        list=target.list,
    )


def effect(action: Action, preview: Preview, slug: str, owner: str = "person") -> str:
    """What the action will do, in a sentence or two. `owner`: whose holds an uncordon lifts."""
    if not preview.lanes:
        return hold_messages.covers_no_lane(slug)
    mail = mail_of(preview.target, slug, _only_type(preview))
    if action == "uncordon":
        return _uncordon_effect(preview, mail, owner)
    sentence = hold_messages.cordon_effect if action == "cordon" else hold_messages.cancel_effect
    sending = sum(lane.sending for lane in preview.lanes)
    return sentence(mail, _types(preview.lanes), _queued(preview.lanes), sending)


def untouched(preview: Preview, slug: str) -> str:
    """Whom the action leaves alone."""
    partly = _types(preview.lanes) if preview.target.narrow else []
    return hold_messages.left_alone(slug, list(preview.untouched), partly)


def end_effect(preview: Preview, stops: Sequence[Covering], slug: str) -> str:
    """What ending these stops will do. They cover lanes of other tenants too if those use the same part of SES."""
    if not preview.lanes:
        return hold_messages.covers_no_lane(slug)
    mail = mail_of(preview.target, slug, _only_type(preview))
    if not stops:
        return hold_messages.nothing_stopped(mail)
    free = freed(preview)
    return hold_messages.end_effect(
        [hold_messages.numbered_stop(one.stop.id, one.stop.because) for one in stops],
        _queued(free),
        _types(free),
        max(one.others for one in stops),
    )


def freed(preview: Preview) -> list[LaneCounts]:
    """The lanes that no hold stops, and that can send once no stop covers them."""
    holds = [hold for hold in preview.holds if hold.stops and not hold.narrow]
    return [lane for lane in preview.lanes if not _covered(preview.target.tenant, lane, holds)]


def liftable(preview: Preview, owner: str = "person") -> list[Hold]:
    """The holds that an uncordon of this target lifts: those that this owner placed on exactly this target, an operator if no
    owner is named. Others are lifted by their number."""
    return [hold for hold in preview.holds if hold.owner == owner and hold.target == preview.target]


def released(preview: Preview, lifting: Sequence[Hold]) -> list[LaneCounts]:
    """The lanes that nothing stops any more once these holds are gone."""
    gone = {hold.id for hold in lifting}
    left = [hold for hold in preview.holds if hold.id not in gone and hold.stops and not hold.narrow]
    return [
        lane
        for lane in preview.lanes
        if _covered(preview.target.tenant, lane, lifting) and not _covered(preview.target.tenant, lane, left)
    ]


def _covered(tenant: int, lane: LaneCounts, holds: Sequence[Hold]) -> bool:
    return any(hold.target.covers_lane(tenant, lane.class_, lane.lane) for hold in holds)


def _uncordon_effect(preview: Preview, mail: str, owner: str) -> str:
    lifting = liftable(preview, owner)
    others = _numbered([hold for hold in preview.holds if hold not in lifting])
    if not lifting:
        return hold_messages.nothing_to_lift(mail, others)
    free = released(preview, lifting)
    return hold_messages.uncordon_effect(_numbered(lifting), _queued(free), _types(free), others)


def named(hold: Hold) -> str:
    """`hold 7 "wrong list" by ann`."""
    return hold_messages.numbered_hold(
        hold.id, hold.by if hold.owner == "person" else hold.owner, hold.because
    )


def _numbered(holds: Sequence[Hold]) -> list[str]:
    return [named(hold) for hold in holds]


def _types(lanes: Sequence[LaneCounts]) -> list[str]:
    return [lane.type for lane in lanes]


def _queued(lanes: Sequence[LaneCounts]) -> int:
    return sum(lane.ready + lane.waiting for lane in lanes)


def _only_type(preview: Preview) -> str | None:
    return preview.lanes[0].type if preview.target.lane is not None else None
