"""What is said of rollouts: gates, the checklist, and each step from the shared path to the lane's own (docs/migration.md)."""

from collections.abc import Sequence

from mailcordon.messages import phrases, times
from mailcordon.messages.catalogue import example

_HAPPENED = {
    "unreported": "nothing was reported by SES",
    "undelivered": "could not be delivered",
    "refused": "were refused for spam, reputation, authentication or policy",
    "suppressed": "were dropped by a suppression list of SES",
    "bounced": "bounced hard",
    "delayed": "were delayed",
    "late": "were delivered later than their lane's objective allows",
    "complained": "led to a complaint",
    "opened": "were opened",
}


def _percent(share: float) -> str:
    text = f"{100 * share:.2f}" if share < 0.01 else f"{100 * share:.1f}"
    return f"{text.rstrip('0').rstrip('.')} %" if "." in text else f"{text} %"


def _of(events: int, mails: int) -> str:
    return f"{events:,} of {mails:,} ({_percent(events / mails if mails else 0.0)})"


@example(
    measure="delayed",
    verdict="back",
    new=64,
    new_of=310,
    old=402,
    old_of=30_120,
    allowed=0.1,
    provider="gmail",
    widened=3.0,
    doubtful=True,
    shown=False,
    to_show=0.3,
)
@example(
    measure="bounced",
    verdict="pass",
    new=3,
    new_of=420,
    old=310,
    old_of=39_980,
    allowed=0.023,
    provider=None,
    widened=3.0,
    doubtful=False,
    shown=True,
    to_show=0.068,
)
@example(
    measure="undelivered",
    verdict="wait",
    new=0,
    new_of=18,
    old=9,
    old_of=1_790,
    allowed=0.035,
    provider=None,
    widened=3.0,
    doubtful=False,
    shown=False,
    to_show=0.125,
)
@example(
    measure="bounced",
    verdict="back",
    new=96,
    new_of=1_800,
    old=None,
    old_of=0,
    allowed=0.023,
    provider=None,
    widened=1.0,
    doubtful=True,
    shown=True,
    to_show=0.023,
)
def gate(
    *,
    measure: str,
    verdict: str,
    new: int,
    new_of: int,
    old: int | None,
    old_of: int,
    allowed: float,
    provider: str | None,
    widened: float,
    doubtful: bool,
    shown: bool,
    to_show: float,
) -> str:
    """What one comparison of old and new path says, in `mailcordon rollout status`. `old`: None at 100 percent."""
    if new_of <= 0:
        return "No mail of the new path is old enough to be judged."
    at = f" to {provider}" if provider else ""
    seen = f"New path: of {_mails(new_of)}{at}, {new:,} {_HAPPENED[measure]} ({_percent(new / new_of)})."
    if measure == "unreported":
        seen = (
            f"New path: of {_mails(new_of)}{at}, SES reported nothing of {new:,} ({_percent(new / new_of)})."
        )
    if old is not None:
        seen += f" Old path: {_of(old, old_of)}."
    least = "least" if measure == "opened" else "most"
    margin = f" Allowed is {_percent(allowed)} at {least}"
    margin += f", {widened:g} times the usual margin while providers learn the path." if widened > 1 else "."
    if verdict == "back":
        return f"{seen}{margin} This is no luck."
    if doubtful:
        return f"{seen}{margin} It may be luck; the share does not grow until it looks so."
    if not shown:
        return f"{seen} Too little mail yet to show that the share stays below {_percent(to_show)}."
    return f"{seen}{margin}"


def _mails(number: int) -> str:
    return "1 mail" if number == 1 else f"{number:,} mails"


# The course --------------------------------------------------------------------------------------------------------------

_AT = 1_795_879_320_000


@example(
    5, "New path: of 310 mails to gmail, 64 were delayed (20.6 %). Allowed is 10 % at most. This is no luck."
)
def back(share: int, because: str) -> str:
    """A rollout went back to the old path by itself."""
    return (
        f"Back from {share} percent: {because} New mail and mail that waits take the old path. Mend what is named, then begin "
        "again with `mailcordon rollout advance`."
    )


@example(5, 25, ["Only 120 mails of the new path are old enough to be judged; 200 are needed."])
def waits(share: int, target: int, because: Sequence[str]) -> str:
    """The share of a rollout does not grow yet."""
    return f"Stays at {share} percent, {target} comes next. {' '.join(because)}"


@example(1, 5)
def grows(share: int, target: int) -> str:
    """The share of a rollout grows."""
    if target >= 100:
        return f"From {share} to 100 percent: every gate passes. Until the rollout is finished there is a way back."
    if share == 0:
        return f"Begins with {target} percent: the checklist holds."
    return f"From {share} to {target} percent: the checklist holds and every gate passes."


@example()
def stands() -> str:
    """A rollout has reached 100 percent and can still go back."""
    return "All mail takes the new path. The old one stands for a way back until `mailcordon rollout finish`."


@example()
def held() -> str:
    """A person holds a rollout at its share."""
    return "Held by a person; `mailcordon rollout advance` lets it go on."


@example("back")
@example("finished")
def nothing_to_decide(state: str) -> str:
    """A rollout that is not under way has nothing to decide."""
    return {
        "back": "All mail is back on the old path. `mailcordon rollout advance` begins again.",
        "finishing": "The old path is being dropped.",
        "finished": "The old path is gone; this lane has its own path only.",
    }.get(state, "This rollout is over.")


@example(_AT)
def rests(until: int) -> str:
    """A rollout that went back may not begin again at once."""
    return f"It went back and rests until {times.minute(until)}, so that the path does not go to and fro."


@example(_AT, "Black Friday")
def frozen(until: int, because: str) -> str:
    """No share grows in a freeze."""
    return f"Frozen until {times.minute(until)}: {because.rstrip('.')}."


@example(5, 24.0, _AT)
def too_early(share: int, hours: float, over: int) -> str:
    """A share has not lasted long enough to be judged."""
    return f"{share} percent lasts {hours:g} h at least, until {times.minute(over)}: complaints take hours to come."


@example(120, 200)
def too_few(mails: int, needed: int) -> str:
    """The new path had too little mail to be judged."""
    judged = (
        f"Only {_mails(mails)} of the new path {'is' if mails == 1 else 'are'}"
        if mails
        else "No mail of the new path is"
    )
    return f"{judged} old enough to be judged; {needed:,} are needed."


# The checklist -----------------------------------------------------------------------------------------------------------


@example("mail.acme.example", "pending")
def not_verified(domain: str, status: str | None) -> str:
    """The new From domain is not verified at SES."""
    return f"{domain} is not verified at SES ({status or 'no identity'}). Publish its records: mailcordon identity show {domain}"


@example("mail.acme.example")
def not_checked(domain: str) -> str:
    """The DNS of the new From domain was not checked lately."""
    return f"The records of {domain} were not checked in the last two days. Check them: mailcordon identity check {domain}"


@example("mail.acme.example", "FAILED")
def ses_status(domain: str, status: str | None) -> str:
    """SES does not have the new From domain as verified."""
    return f"SES says {status or 'nothing'} of the verification of {domain}."


@example("mail.acme.example")
def signs(domain: str) -> str:
    """The DKIM keys of the new From domain are in the DNS."""
    return f"SES signs for {domain}, and its DKIM keys are found in the DNS."


@example("mail.acme.example", "FAILED")
def mail_from_falls_back(domain: str, status: str | None) -> str:
    """The custom MAIL FROM of the new domain does not work."""
    return (
        f"SES says {status or 'nothing'} of the MAIL FROM of {domain} and falls back to its own, so SPF is not aligned. "
        f"Mend its records: mailcordon identity show {domain}"
    )


@example("mail.acme.example", "bounce.mail.acme.example")
def mail_from_works(domain: str, mail_from: str | None) -> str:
    """The custom MAIL FROM of the new domain works."""
    return f"{mail_from or 'The MAIL FROM'} works for {domain}."


@example("mc-marketing", ["outcome"], None)
@example("mc-marketing", [], "AccessDenied")
def destinations_missing(configuration_set: str, missing: Sequence[str], problem: str | None) -> str:
    """A configuration set lacks an event destination, so its mail cannot be judged."""
    what = (
        f"has no working destination for {' and '.join(missing)} events"
        if missing
        else "has a destination that fails"
    )
    why = f" SES says: {problem.rstrip('.')}." if problem else ""
    return f"Configuration set {configuration_set} {what}, so nothing is heard of its mail.{why} See: mailcordon drift"


@example("mc-marketing")
def destinations_work(configuration_set: str) -> str:
    """A configuration set has both event destinations."""
    return f"Configuration set {configuration_set} has both event destinations, switched on."


@example("acme/newsletter", "SES has not verified news.acme.example")
def path_is_stopped(lane: str, because: str) -> str:
    """SES refuses the new path of a lane, and not the old one."""
    return f"SES takes no mail over the new path of {lane}: {because}. See: mailcordon stops list"


@example("acme/newsletter")
def path_is_taken(lane: str) -> str:
    """No stop names the new path of a lane."""
    return f"Nothing stops the new path of {lane}."


@example("acme/newsletter")
def never_proved(lane: str) -> str:
    """The attribution of a lane was never proved."""
    return f"It was never shown that events of {lane} come back to it."


@example("acme/newsletter", "proved 28 Nov 2026 15:23 UTC, and since then the IP pool was none and is bulk")
def not_proved(lane: str, because: str) -> str:
    """The last proof of a lane does not count: it failed, is too old, or went over another route."""
    return f"That events of {lane} come back to it is not shown now: {because.rstrip('.')}."


@example("acme/newsletter")
def proved(lane: str) -> str:
    """The attribution of a lane is proved."""
    return f"Events of {lane} come back to it: proved."


@example("acme/newsletter")
def not_watched(lane: str) -> str:
    """The limits or the breaker of a lane only observe."""
    return f"Limits and breaker of {lane} only observe; they must be in shadow at least."


@example("acme/newsletter")
def watched(lane: str) -> str:
    """The limits and the breaker of a lane watch it."""
    return f"Limits and breaker watch {lane}."


@example("acme/newsletter", ["warm-up"], 25)
def not_enforced(lane: str, what: Sequence[str], share: int) -> str:
    """Limits of a lane are not enforced yet."""
    return f"Not enforced for {lane}: {', '.join(what)}. From {share} percent on they must be."


@example("acme/newsletter")
def enforced(lane: str) -> str:
    """The limits of a lane are enforced."""
    return f"The limits and the warm-up of {lane} are enforced."


@example("mail.acme.example", "gmail", 200, 1_250, 25)
def warm_up_too_small(domain: str, provider: str, room: int, expected: int, target: int) -> str:
    """The warm-up of the new domain lets less leave than the next share has."""
    return (
        f"{provider} takes {room:,} mails a day of {domain} now, and {target} percent are about {expected:,}. "
        "Wait for the warm-up."
    )


@example("acme/newsletter", 25)
def warm_up_has_room(lane: str, target: int) -> str:
    """The warm-up of the new domain has room for the next share."""
    return f"The warm-up has room for {target} percent of {lane}."


@example("acme-marketing", None)
def suppression_shared(ses_tenant: str, scope: str | None) -> str:
    """The SES tenant of the new path uses the account's suppression list."""
    return (
        f"SES tenant {ses_tenant} {f'has the suppression scope {scope}' if scope else 'has no suppression scope of its own'}: "
        "other tenants' bounces would suppress its mail."
    )


@example()
def split_never_begun() -> str:
    """The account's suppression list was never taken apart."""
    return (
        "The account's suppression list was not taken apart yet. "
        "Begin: `mailcordon suppression split start --owner NAME --because TEXT`."
    )


@example(1_200)
def split_unread(entries: int) -> str:
    """Entries of the account's suppression list have no owner yet."""
    some = "10,000 or more" if entries >= 10_000 else f"{entries:,}"
    return f"{some} entries of the account's suppression list have no owner yet. See: mailcordon suppression split status"


@example("acme", 12)
def split_moving(tenant: str, entries: int) -> str:
    """Entries of a tenant are still being moved to its own list."""
    return f"{entries:,} entries of {tenant} are still being moved to its own list. See: mailcordon suppression split status"


@example("acme")
def suppression_apart(tenant: str) -> str:
    """The suppression of a tenant is its own."""
    return f"The suppressions of {tenant} are its own."


@example("news.acme.example")
def nothing_said(domain: str) -> str:
    """Neither Gmail nor a DMARC report says something bad of a domain. Often nothing was imported."""
    return f"What was imported of others says nothing bad of {domain}."


@example("acme")
def nobody_alerted(tenant: str) -> str:
    """Nobody is told of a tenant's incidents."""
    return f"No alert channel that works is told of incidents of {tenant}."


@example("acme")
def somebody_alerted(tenant: str) -> str:
    """Somebody is told of a tenant's incidents."""
    return f"Incidents of {tenant} are told to somebody."


# What people do ----------------------------------------------------------------------------------------------------------


@example()
def bad_pace() -> str:
    """A rollout is to be faster or slower than can be."""
    return "The pace is a number from 0 to 100: times the hours that a share lasts at least."


@example()
def bad_shares() -> str:
    """The shares of a rollout make no sense."""
    return "Shares are percents that rise and end with 100, such as 1,5,25,50,100; at most 20 of them."


@example("acme")
def no_lanes_with_two_paths(tenant: str) -> str:
    """A tenant has no lane that could be moved."""
    return f"No lane of {tenant} has a shared path and one of its own. See: mailcordon path list"


@example(300, 200)
def too_many_lanes(lanes: int, most: int) -> str:
    """A rollout has too many lanes."""
    return f"{lanes} lanes are too many for one rollout; it has {most} at most. Name some types."


@example("acme", "newsletter")
def one_path_only(tenant: str, type: str) -> str:
    """A lane is to be moved that has one path."""
    return (
        f"{tenant}/{type} has one path only, so there is nothing to move. "
        f"Give it the shared one first: `mailcordon path add {tenant} {type} NAME --because TEXT`"
    )


@example("acme", "newsletter", 100)
def moved_already(tenant: str, type: str, share: int) -> str:
    """A lane is to be moved whose mail takes its own path already."""
    return (
        f"{share} percent of {tenant}/{type} take its own path already. A rollout begins with all mail on the shared path: "
        f"`mailcordon path share {tenant} {type} 0 --because TEXT`"
    )


@example("acme", "newsletter", 12)
def in_a_rollout(tenant: str, type: str, rollout: int) -> str:
    """A lane is to be moved that another rollout moves."""
    return f"{tenant}/{type} is in rollout {rollout}. See: mailcordon rollout status {rollout}"


@example(12)
def no_rollout(id: int) -> str:
    """There is no rollout of that number."""
    return f"There is no rollout {id}. See them: mailcordon rollout list"


@example(3)
def no_freeze(id: int) -> str:
    """There is no freeze of that number."""
    return f"There is no freeze {id}, or it is over. See them: mailcordon rollout freeze list"


@example()
def bad_freeze() -> str:
    """A freeze ends before it begins, or lasts longer than a year."""
    return "A freeze ends after it begins and lasts a year at most."


@example()
def changed_meanwhile() -> str:
    """A rollout changed while somebody changed it."""
    return "The rollout changed meanwhile, so nothing was done. Look at it and decide again: mailcordon rollout status"


@example("gate:openend")
def unknown_override(key: str) -> str:
    """An override names what there is not."""
    return f"There is nothing called {key!r} to override. See what blocks: mailcordon rollout status"


@example(
    "Stays at 1 percent, 5 comes next. No mail of the new path is old enough to be judged; 50 are needed.",
    ["mails"],
)
def blocked(sentence: str, keys: Sequence[str]) -> str:
    """A person asks for the next share, and something stands in the way."""
    return f"{sentence} To go on all the same, override {phrases.listed(list(keys))}."


@example(5, 25, 5)
def other_share(is_at: int, next: int, asked: int) -> str:
    """A person asks for a share that does not come next, or a request is repeated that was carried out."""
    return f"It is at {is_at} percent, and {next} comes next, not {asked}. Nothing was changed."


@example(
    "Stays at 1 percent, 5 comes next. No mail of the new path is old enough to be judged; 50 are needed."
)
def goes_on(sentence: str) -> str:
    """A rollout that was held goes on."""
    return f"No longer held. {sentence}"


@example("From 1 to 5 percent: the checklist holds and every gate passes.", "checked by hand")
def by_hand(sentence: str, because: str) -> str:
    """A person let the share grow."""
    return f"{sentence.split(':')[0]} by a person: {because.rstrip('.')}."


@example(5, "the newsletter of Monday is sensitive")
def held_by_hand(share: int, because: str) -> str:
    """A person holds a rollout."""
    return f"Held at {share} percent: {because.rstrip('.')}."


@example("back")
def nothing_to_hold(state: str) -> str:
    """A rollout is to be held that does not grow."""
    return f"Nothing to hold: the rollout is {state}."


@example(25, "customers report spam folders")
def back_by_hand(share: int, because: str) -> str:
    """A person took a rollout back."""
    return f"Back from {share} percent by a person: {because.rstrip('.')}. New mail and mail that waits take the old path."


@example("back")
@example("finished")
def nothing_to_take_back(state: str) -> str:
    """A rollout cannot go back."""
    if state == "finished":
        return "The old path is gone, so there is no way back."
    return f"Nothing to take back: the rollout is {state}."


@example(50)
def not_standing(share: int) -> str:
    """A rollout is to be finished that has not reached 100 percent."""
    return f"{share} percent take the new path. The old one can be dropped at 100 percent only."


@example("four weeks without a breach")
def finishes(because: str) -> str:
    """A rollout is being finished: a plan that drops the old path is made."""
    return f"The old path is to be dropped by a plan: {because.rstrip('.')}."


@example(31)
@example(None)
def finishing(plan: int | None) -> str:
    """A rollout is being finished. `plan`: None if it could not be made."""
    if plan is None:
        return "The old path is to be dropped, and the plan for it is not there yet. Make it: mailcordon rollout finish"
    return (
        f"Plan {plan} drops the old path; until it is applied there is a way back. "
        f"See it: mailcordon plans show {plan}; apply it: mailcordon apply {plan}"
    )


@example(5)
def not_to_cancel(share: int) -> str:
    """A rollout is to be given up whose new path has mail."""
    if share:
        return f"{share} percent take the new path. First take them back: mailcordon rollout back"
    return "This rollout is over or being finished."


@example("the tenant stays where it is")
def cancelled(because: str) -> str:
    """A rollout was given up."""
    return f"Given up: {because.rstrip('.')}. All mail stays on the old path."


@example("acme", ["newsletter"], [1, 5, 25, 50, 100])
def started(tenant: str, types: Sequence[str], shares: Sequence[int]) -> str:
    """A rollout was made."""
    steps = ", ".join(str(share) for share in shares)
    return (
        f"{tenant} ({', '.join(types)}) moves to its own path by {steps} percent, once the checklist holds."
    )


@example()
def dropped() -> str:
    """The old path of a rollout is gone."""
    return "The old path is gone. The rollout is finished."


@example("gate:opened", 25, "the sample is too small")
def overridden(key: str, share: int, because: str) -> str:
    """A person let something pass."""
    return f"{key} does not keep the rollout from {share} percent: {because.rstrip('.')}."


@example(12)
def made(id: int) -> str:
    """A rollout was made on the command line."""
    return f"Rollout {id} begins once its checklist holds. Follow it: mailcordon rollout status {id}"


@example(["mails", "gate:opened"])
def override_question(keys: Sequence[str]) -> str:
    """A person is about to let something pass."""
    return f"For the next share these need not hold: {', '.join(keys)}. Go on?"


@example()
def finish_question() -> str:
    """A person is about to give up the way back."""
    return "This makes the plan that drops the shared path. Once it is applied there is no way back. Go on?"


@example("acme", "newsletter", 12)
def shares_under_way(tenant: str, type: str, id: int) -> str:
    """Somebody sets the shares of a lane, or moves its waiting mail, while a rollout does."""
    return (
        f"Rollout {id} sets the shares of {tenant}/{type}. Nothing was changed. Let it go on, keep it or take it back with "
        f"`mailcordon rollout advance|hold|back {id}`; to set shares by hand, take it back, then give it up: "
        f"mailcordon rollout cancel {id}"
    )


@example("acme", "newsletter", 12)
def drops_under_way(tenant: str, type: str, id: int) -> str:
    """A plan drops the old path of a lane that a rollout moves."""
    return (
        f"rollout {id} moves {tenant}/{type} and may need its shared path for a way back. At 100 percent: "
        f"mailcordon rollout finish {id}; to give it up: mailcordon rollout cancel {id}"
    )


@example("acme", "newsletter", 12)
def changes_under_way(tenant: str, type: str, id: int) -> str:
    """A plan changes the configuration set, SES tenant or IP pool of a lane that a rollout moves."""
    return (
        f"rollout {id} compares the path of {tenant}/{type} with the old one, so its configuration set, SES tenant and "
        f"IP pool stay as they are until it ends. To change them first: mailcordon rollout back {id}, then "
        f"mailcordon rollout cancel {id}"
    )


@example()
def lanes_retired() -> str:
    """All lanes of a rollout were retired."""
    return "Given up: its lanes were retired."


@example(12, "acme", ["newsletter"], "Back from 5 percent: of 310 mails, 64 were delayed.")
def went_back(id: int, tenant: str, types: Sequence[str], because: str) -> str:
    """A rollout went back by itself, and nobody has begun it again or given it up."""
    return f"Rollout {id} of {tenant} ({', '.join(types)}) went back by itself. {because}"


@example(12)
def went_back_next(id: int) -> str:
    """What to do about a rollout that went back."""
    return f"mend what is named, then `mailcordon rollout advance {id}`; `mailcordon rollout cancel {id}` gives it up"


@example("acme", ["newsletter"], ["news.acme.example"], "gmail")
@example("acme", ["newsletter", "receipt", "digest", "invite"], ["news.acme.example", "acme.example"], None)
def culprit(tenant: str, types: Sequence[str], domains: Sequence[str], provider: str | None) -> str:
    """What is at fault if a rollout went back: the new path of its lanes."""
    lanes = ", ".join(f"{tenant}/{type}" for type in types[:3])
    more = f" and {len(types) - 3} more" if len(types) > 3 else ""
    at = f", with mail to {provider}" if provider else ""
    return f"the own path of {lanes}{more} (from {', '.join(domains[:3])}){at}"


@example()
def all_tenants() -> str:
    """Whom a freeze is for."""
    return "all"
