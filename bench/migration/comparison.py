"""What left and came back on both paths since a share began, counted as the observer counts it."""

from __future__ import annotations

from typing import Final

from bench.week.feedback import BLOCKS
from bench.week.lanes import campaign_of, provider_of
from mailcordon.core.bounce_reason import Group
from mailcordon.core.provider import Provider
from mailcordon.guard.rollouts.nouns import Side, Stratum
from mailcordon.observe import bounce_reasons
from seslocal.fleets.operator import Seen, Waiting

#: Bounces that say something of the path, and those that say something of the recipient.
REFUSED: Final = BLOCKS | {Group.SENDER_AUTH}
GONE: Final = Group.RECIPIENT_GONE
#: Seconds from the call to the delivery after which a mail is late.
LATE: Final = 3600.0
#: Providers that return complaints (packages/seslocal/docs/world.md): the others are not heard.
_HEARD: Final = frozenset(
    {Provider.MICROSOFT, Provider.YAHOO, Provider.COMCAST, Provider.TELEKOM, Provider.ORANGE}
)
_PLACES: Final = {name: place for place, name in enumerate(Side._fields)}
_FIRST, _LAST = _PLACES["first"], _PLACES["last"]

#: Minutes whose mail without a campaign is one stratum. The roles have one an hour; the gates add up those of a day.
_BLOCK: Final = 360
_Key = tuple[int, int, str | None, int]  #: lane, provider, campaign, and the block of mail without one


class _Mail:
    __slots__ = ("counted", "left", "side")

    def __init__(self, side: list[int], left: float) -> None:
        self.side = side
        self.left = left
        self.counted: set[str] = set()

    def count(self, name: str) -> None:
        """Each mail counts once in each column."""
        if name not in self.counted:
            self.counted.add(name)
            self.side[_PLACES[name]] += 1


class Comparison:
    """`start`: the minute since 1970 at which the run begins."""

    def __init__(self, start: int) -> None:
        self._start = start
        self._sides: dict[_Key, tuple[list[int], list[int]]] = {}
        self._mails: dict[str, _Mail] = {}
        self.first_new: int | None = None  #: minute since 1970 of the first mail of the new path ever

    def begin(self) -> None:
        """A new share: what left before it is judged."""
        self._sides.clear()
        self._mails.clear()

    def sent(self, lane: int, mail: Waiting, at: float, *, new: bool) -> None:
        minute = self._start + int(at // 60)
        campaign = campaign_of(mail)
        provider = provider_of(mail)
        key = lane, int(provider), campaign, 0 if campaign else minute // _BLOCK
        sides = self._sides.get(key)
        if sides is None:
            sides = self._sides[key] = [0] * len(Side._fields), [0] * len(Side._fields)
        side = sides[0 if new else 1]
        if new and self.first_new is None:
            self.first_new = minute
        one = self._mails[mail.key] = _Mail(side, at)
        side[_FIRST] = side[_FIRST] or minute
        side[_LAST] = minute
        one.count("sent")
        one.count("reported")
        if provider in _HEARD:
            one.count("heard")

    def see(self, seen: Seen) -> None:
        mail = self._mails.get(seen.mail.key)
        if mail is None:
            return
        match seen.what:
            case "delivery":
                mail.count("delivered")
                mail.count("timed")
                if seen.at - mail.left > LATE:
                    mail.count("late")
            case "delay":
                mail.count("delayed")
            case "bounce":
                self._bounced(mail, seen)
            case "complaint":
                mail.count("complained")
            case "open":
                mail.count("opened")
            case "suppressed":
                mail.count("suppressed")
            case "rejected":
                mail.count("undelivered")
            case _:
                pass

    def strata(self) -> tuple[Stratum, ...]:
        return tuple(
            Stratum(lane, provider, campaign, Side(*new), Side(*old))
            for (lane, provider, campaign, _), (new, old) in self._sides.items()
        )

    @staticmethod
    def _bounced(mail: _Mail, seen: Seen) -> None:
        reason = bounce_reasons.find(None, seen.status or None, seen.text).reason
        if seen.permanent:
            mail.count("bounced")
        if reason.group is not GONE:
            mail.count("undelivered")
        if reason.group in REFUSED:
            mail.count("refused")
