"""What applies before anybody has written a policy: the defaults of each class, and the tiers `strict`, `standard` and `trusted`.

Values stand by their path, such as `breaker.sensitivity`, each with its reason. From the first day only three things enforce:
the caps of new senders, the stop of a runaway loop to one address, and the bounds of the backlog. The rest is shadow until it
is armed.
"""

from collections.abc import Mapping
from typing import Final

from mailcordon.core.limit import Mode
from mailcordon.core.priority import Class
from mailcordon.guard.policy.layer import CapValue, Layer, Reasoned

STANDARD: Final = "standard"  #: the tier of a tenant that nobody gave one

#: Mails a day to one provider, from the first day of a domain on: 50, 100, 500 and 1,000, then a third more each day.
CURVE: Final = (
    *(50, 100, 500, 1_000, 1_500, 2_000, 3_000, 4_000, 5_500, 7_500, 10_000, 13_500, 18_000, 24_000),
    *(32_000, 43_000, 57_000, 76_000, 100_000, 135_000),
)
#: Of providers that defer unknown senders early: the same in smaller steps.
SLOW_CURVE: Final = (
    *(50, 100, 250, 500, 750, 1_000, 1_500, 2_000, 2_750, 3_750, 5_000, 6_750, 9_000, 12_000),
    *(16_000, 21_500, 28_500, 38_000, 50_000, 67_500, 90_000, 120_000),
)

_RUNAWAY = "a person needs few codes and resets an hour; more to one address are a loop or an attack"

DEFAULTS: Final = Layer(
    "built in",
    {
        "new_sender.growth": Reasoned(
            1.5, "half as much again each day: a mistake stays as small as the day before"
        ),
        "breaker.mode": Reasoned(
            Mode.SHADOW, "a lane's breaker says what it would have held until it is armed"
        ),
        "breaker.sensitivity": Reasoned(1.0, "at most one false stop in 100 years of a marketing lane"),
        "release.mode": Reasoned(Mode.ENFORCE, "large batches start slowly, so that a bad list shows itself"),
        "release.first": Reasoned(1500, "enough to see a rate of bad addresses of 10 %"),
        "release.wait_seconds": Reasoned(120, "98 % of the prompt bounces have come by then"),
        "release.factor": Reasoned(3.0, "a million mails take eight steps"),
        "release.step_seconds": Reasoned(60, "feedback on a step comes within a minute"),
        "release.above_mails": Reasoned(5000, "smaller batches are over before a step would open"),
        "release.above_share": Reasoned(
            0.2, "a batch that is large for its lane is paced, whatever its size"
        ),
        "release.canary_share": Reasoned(0.0, "complaints take hours: a canary is a choice"),
        "release.canary_hours": Reasoned(6.0, "the median complaint comes after six hours"),
        "warm_up.mode": Reasoned(Mode.SHADOW, "a domain may have a reputation that we do not know of"),
        "warm_up.steps.microsoft": Reasoned(SLOW_CURVE, "it defers unknown senders early"),
        "warm_up.steps.yahoo": Reasoned(SLOW_CURVE, "it defers unknown senders early"),
        "warm_up.others": Reasoned(CURVE, "a domain earns its volume in 20 days"),
        "objectives.days": Reasoned(28, "four weeks have the same weekdays"),
    },
)

CLASSES: Final[Mapping[Class, Layer]] = {
    Class.URGENT: Layer(
        "class urgent",
        {
            "caps.recipient.hour": Reasoned(CapValue(5, Mode.ENFORCE), _RUNAWAY),
            "release.mode": Reasoned(Mode.OBSERVE, "urgent mail never waits for a step"),
            "objectives.delivered": Reasoned(0.99, "somebody waits for this mail"),
            "objectives.delivered_seconds": Reasoned(60.0, "somebody waits for this mail"),
            "objectives.bounces": Reasoned(0.03, "people mistype their address when they sign up"),
            "objectives.complaints": Reasoned(0.001, "Gmail and Yahoo ask for less"),
        },
    ),
    Class.TRANSACTIONAL: Layer(
        "class transactional",
        {
            "release.mode": Reasoned(Mode.OBSERVE, "transactional mail never waits for a step"),
            "objectives.delivered": Reasoned(0.985, "a receipt that is lost is asked for"),
            "objectives.delivered_seconds": Reasoned(600.0, "a receipt is looked for at once"),
            "objectives.bounces": Reasoned(0.03, "people mistype their address when they buy"),
            "objectives.complaints": Reasoned(0.001, "Gmail and Yahoo ask for less"),
        },
    ),
    Class.MARKETING: Layer(
        "class marketing",
        {
            "objectives.delivered": Reasoned(0.97, "lists have addresses that are gone"),
            "objectives.delivered_seconds": Reasoned(None, "nobody waits for it"),
            "objectives.bounces": Reasoned(0.02, "SES asks for less than 2 %"),
            "objectives.complaints": Reasoned(0.001, "Gmail and Yahoo ask for less"),
        },
    ),
}

TIERS: Final[Mapping[str, Layer]] = {
    "strict": Layer(
        "tier strict",
        {
            "new_sender.first": Reasoned(200, "who sends is not known yet"),
            "breaker.sensitivity": Reasoned(
                0.1, "stops ten times as readily: harm costs more than a false stop"
            ),
            "release.first": Reasoned(500, "less leaves before the first feedback"),
            "release.above_mails": Reasoned(1000, "small batches are paced, too"),
        },
    ),
    STANDARD: Layer(
        "tier standard",
        {"new_sender.first": Reasoned(500, "a known customer without a history")},
    ),
    "trusted": Layer(
        "tier trusted",
        {
            "new_sender.first": Reasoned(1000, "a customer with a history elsewhere"),
            "breaker.sensitivity": Reasoned(10.0, "a false stop costs more than a slow one"),
            "release.first": Reasoned(5000, "its lists have been good"),
            "release.above_mails": Reasoned(20_000, "its lists have been good"),
        },
    ),
}
