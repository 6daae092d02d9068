"""Defects of a new path, as planted in moves: what each does to the mail that takes it. The sizes are choices, at the lower end
of what the world behind seslocal shows (packages/seslocal/docs/world.md) or of what follows from how SES works (ses.md)."""

from __future__ import annotations

from typing import Final

from bench.migration.moves import Defect, Effect
from bench.migration.population import PROVIDERS
from mailcordon.core.provider import Provider
from mailcordon.guard.rollouts.nouns import Check, Measure

_PLACES: Final = {provider: place for place, (provider, _, _) in enumerate(PROVIDERS)}
_LARGE: Final = frozenset(_PLACES[one] for one in (Provider.GMAIL, Provider.MICROSOFT, Provider.YAHOO))
_GMAIL: Final = frozenset({_PLACES[Provider.GMAIL]})

WRONG_SELECTOR: Final = Defect(
    "wrong DKIM selector",
    (
        Effect(Measure.REFUSED, 0.30, _LARGE),
        Effect(Measure.UNDELIVERED, 0.30, _LARGE),
        Effect(Measure.OPENED, 0.50, _LARGE),
    ),
    Check.IDENTITY,
)
NO_DESTINATION: Final = Defect(
    "configuration set without an event destination",
    (Effect(Measure.UNREPORTED, 1.0),),
    Check.DESTINATIONS,
)
COLD_IP: Final = Defect(
    "cold IP",
    (
        Effect(Measure.DELAYED, 0.35, _LARGE),
        Effect(Measure.LATE, 0.30, _LARGE),
        Effect(Measure.REFUSED, 0.03, _LARGE),
        Effect(Measure.UNDELIVERED, 0.03, _LARGE),
    ),
)
MAIL_FROM: Final = Defect(
    "MAIL FROM fallen back to SES's own",  # DMARC still passes by DKIM, so little mail suffers
    (Effect(Measure.REFUSED, 0.002, _GMAIL), Effect(Measure.UNDELIVERED, 0.002, _GMAIL)),
    Check.MAIL_FROM,
)
SUPPRESSION: Final = Defect(
    "the account's suppression list copied to the tenant",
    (Effect(Measure.SUPPRESSED, 0.06),),
    Check.SUPPRESSION,
)
NO_TAGS: Final = Defect(
    "events without tags, of one lane",
    (Effect(Measure.UNREPORTED, 1.0, lanes=frozenset({0})),),
    Check.PROVED,
)
#: In the order of the issue of a move: what DNS shows, what SES shows, what only mail shows.
EVERY: Final = (WRONG_SELECTOR, NO_DESTINATION, COLD_IP, MAIL_FROM, SUPPRESSION, NO_TAGS)
