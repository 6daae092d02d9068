"""What is said of rehearsals: what a planned change would do to the coming week (docs/rehearse.md)."""

from mailcordon.messages import phrases, times
from mailcordon.messages.catalogue import example


@example()
def one_kind() -> str:
    """A document of a change says nothing, or two things at once."""
    return "A change is either bought_list or rollout: write one of them."


@example()
def more_than_all() -> str:
    """Shares of addresses that are more than all."""
    return "dead and traps together are more than all addresses"


@example()
def bad_time() -> str:
    """A time of day that cannot be read."""
    return "must be a time of day in UTC such as 09:00"


@example()
def bad_shares() -> str:
    """Shares of a rollout that do not rise to 100."""
    return "must be whole percentages that rise, and the last must be 100"


def _percent(share: float) -> str:
    return f"{100 * share:.2f} %"


def _mails(number: float) -> str:
    whole = round(number)
    return f"{whole:,} mail" if whole == 1 else f"{whole:,} mails"


def _after(minutes: int | None) -> str:
    return "" if minutes is None else f" after {times.span(60 * max(0, minutes))}"


def _when(before: int | None, after: int | None) -> str:
    when = "" if after is None else f", {times.span(60 * max(0, after))} after the first mail"
    return when if before is None else f"{when}, {before:,} out before"


@example()
def another_runs() -> str:
    """Only one rehearsal runs at a time."""
    return "Another rehearsal runs. Ask again when it has ended."


@example()
def hung_up() -> str:
    """The caller of a rehearsal hung up, so it was ended."""
    return "The caller hung up, and the rehearsal was ended."


@example()
def took_too_long() -> str:
    """A rehearsal did not end in time."""
    return (
        "The rehearsal took too long and was ended: last week had too much mail for it. A bought list of"
        " fewer mails helps little."
    )


@example()
def died() -> str:
    """The process of a rehearsal ended without an answer."""
    return "The rehearsal failed: its process ended without an answer. The API's log says more, if memory did not run out."


@example("acme")
def no_mail_of(tenant: str) -> str:
    """A rehearsal about a tenant that sent nothing in the last week."""
    return f"{tenant} sent no mail in the last 7 days, so there is nothing to play. mailcordon tenant list shows the tenants."


@example("acme", "newsletter", ["digest", "password-reset"])
def lane_without_mail(tenant: str, type: str, known: list[str]) -> str:
    """A rehearsal about a lane that sent nothing in the last week."""
    return f"{tenant} sent no {type} in the last 7 days. It sent {phrases.listed(known)}."


@example(
    tenant="acme",
    type="newsletter",
    wanted=10_000,
    out=138,
    nothing=10_000,
    stopped=3,
    others=3_410,
    others_nothing=12_906,
)
@example(
    tenant="acme",
    type="newsletter",
    wanted=10_000,
    out=10_000,
    nothing=10_000,
    stopped=None,
    others=12_906,
    others_nothing=12_906,
)
@example(
    tenant="acme",
    type="newsletter",
    wanted=10_000,
    out=500,
    nothing=1_666,
    stopped=None,
    others=0,
    others_nothing=12_906,
)
def of_list(
    *,
    tenant: str,
    type: str,
    wanted: int,
    out: int,
    nothing: int,
    stopped: int | None,
    others: float,
    others_nothing: float,
) -> str:
    """The first line of a rehearsed list. `stopped`: minutes from its first mail until it is held; None: nothing holds it."""
    first = f"{tenant}/{type} mails a bought list of {_mails(wanted)}. "
    if stopped is not None:
        did = f"It would be stopped{_after(stopped) or ' at once'}"
    else:
        did = "Nothing would stop it" if out >= wanted else "Neither the breaker nor a release would stop it"
    return (
        f"{first}{did}: {_mails(out)} of it would leave, {nothing:,} if nothing watched. Others would lose"
        f" {_mails(others)} in the inbox,"
        f" {others_nothing:,.0f} if nothing watched."
    )


@example(
    policy=True,
    out=138,
    wanted=10_000,
    bounces=32,
    complaints=0,
    inbox=101,
    first=0,
    last=3,
    status="HEALTHY",
    after=None,
)
@example(
    policy=False,
    out=9_900,
    wanted=10_000,
    bounces=2_200,
    complaints=40,
    inbox=5_100,
    first=0,
    last=60,
    status="PAUSED",
    after=42,
)
@example(
    policy=True,
    out=0,
    wanted=10_000,
    bounces=0,
    complaints=0,
    inbox=0,
    first=None,
    last=None,
    status="HEALTHY",
    after=None,
)
def outcome(
    *,
    policy: bool,
    out: int,
    wanted: int,
    bounces: int,
    complaints: int,
    inbox: float,
    first: int | None,
    last: int | None,
    status: str,
    after: int | None,
) -> str:
    """What became of a rehearsed list with the present policy or without any. Times in minutes after its first mail."""
    who = "With the present policy" if policy else "If nothing watched"
    if not out:
        return f"{who}: none of {_mails(wanted)} would leave."
    span = f", the last of them{_after((last or 0) - (first or 0)) or ' at once'}" if last is not None else ""
    account = {
        "HEALTHY": "SES would not review the account",
        "REVIEW": f"SES would put the account under review{_after(after)}",
        "PAUSED": f"SES would pause the account, and with it everybody's mail,{_after(after)}",
    }[status]
    return (
        f"{who}: {out:,} of {_mails(wanted)} would leave{span}; {bounces:,} bounce hard, {complaints:,} complaints are reported,"
        f" {inbox:,.0f} reach an inbox. {account}."
    )


_RELATIONS = {
    "domain": "that share its From domain",
    "pool": "that share its IP pool",
    "shared": "that share SES's addresses with it",
    "strangers": "that share neither domain nor addresses",
    "own": "its own other mail",
}


@example(
    relation="pool",
    tenants=129,
    sent=12_000,
    delivered=0.991,
    had_delivered=0.992,
    inbox=0.95,
    had_inbox=0.97,
    policy=True,
)
@example(
    relation="own",
    tenants=1,
    sent=700,
    delivered=0.991,
    had_delivered=0.992,
    inbox=0.70,
    had_inbox=0.97,
    policy=False,
)
def others(
    *,
    relation: str,
    tenants: int,
    sent: int,
    delivered: float,
    had_delivered: float,
    inbox: float,
    had_inbox: float,
    policy: bool,
) -> str:
    """What others lose to a rehearsed list. `had`: in the same week without it. Shares of the mail that they want to send."""
    who = (
        _RELATIONS[relation]
        if relation == "own"
        else f"{phrases.count(tenants, 'tenant')} {_RELATIONS[relation]}"
    )
    when = "with the present policy" if policy else "if nothing watched"
    return (
        f"{who}, {when}: delivered {_percent(delivered)} (without the list {_percent(had_delivered)}), in the"
        f" inbox {_percent(inbox)}"
        f" ({_percent(had_inbox)}), of {_mails(sent)}"
    )


@example(
    of="acme/newsletter",
    before=1_500,
    after=3,
    said="held: list rehearsal-list. 38 of 150 mails bounced hard.",
    told=["ops"],
    contacts=[],
)
@example(
    of="acme/digest",
    before=None,
    after=None,
    said="warned: the lane.",
    told=[],
    contacts=["ops@acme.example"],
)
def stop(
    *, of: str, before: int | None, after: int | None, said: str, told: list[str], contacts: list[str]
) -> str:
    """Something that would stop mail, or warn. `before`: mails of the list that had left; `after`: minutes since its first."""
    people = [f"alert {phrases.count(len(told), 'channel')} {phrases.listed(told)}"] if told else []
    people += [f"the tenant at {phrases.listed(contacts)}"] if contacts else []
    who = f"Told: {phrases.listed(people)}." if people else "Nobody would be told: no alert channel gets it."
    return f"{of}{_when(before, after)}: {said} {who}"


@example(
    of="acme/newsletter", before=1_500, after=3, said="the limit of 5,000 a day (lane) keeps 9,400 mails."
)
@example(of="acme/newsletter", before=None, after=None, said="over: the lane. Nothing bad came for a day.")
def happens(*, of: str, before: int | None, after: int | None, said: str) -> str:
    """Something of a rehearsed week that nobody is told of. `before` and `after` as of what would stop mail."""
    return f"{of}{_when(before, after)}: {said}"


@example(cap=5_000, per="day", scope="lane", mails=9_400)
def by_limit(*, cap: int, per: str, scope: str, mails: int) -> str:
    """A limit that would keep mail of a rehearsed week."""
    return f"the limit of {cap:,} a {per} ({scope}) keeps {_mails(mails)}."


@example(first=1_500, mails=9_000, why="bounces")
@example(first=1_500, mails=9_000, why=None)
def by_release(*, first: int, mails: int, why: str | None) -> str:
    """A paced release that would keep mail of a rehearsed list."""
    closed = {None: "", "bounces": "; its bounces close it", "complaints": "; its complaints close it"}.get(
        why, "; the breaker's warning closes it"
    )
    return f"the paced release, whose first step is {first:,}, keeps {_mails(mails)}{closed}."


@example("acme", ["newsletter"], 100, False, "9 days")
@example("acme", ["newsletter"], 5, False, None)
@example("acme", ["newsletter", "digest"], 0, True, "18 h")
def of_move(tenant: str, types: list[str], share: int, back: bool, after: str | None) -> str:
    """The first line of a rehearsed rollout: where it would get to."""
    whose = f"The rollout of {tenant} ({phrases.listed(types)})"
    if back:
        return f"{whose} would go back by itself after {after}."
    if after is None:
        return f"{whose} would still be at {share} % when the rehearsal ends."
    return f"{whose} would have all mail on its own path after {after}."


@example(faulty=True, share=5, back=True, after="26 h", mails=410, bad=21)
@example(faulty=True, share=100, back=False, after=None, mails=9_000, bad=450)
def fault(*, faulty: bool, share: int, back: bool, after: str | None, mails: int, bad: float) -> str:
    """How soon a fault of the new path would be noticed. `share`: at which it went back, or the last one."""
    what = "If 5 % more of the new path's mail were refused" if faulty else "With the fault of the document"
    if not back:
        return (
            f"{what}, the gates would not see it in the time that is played: {_mails(mails)} would take the new"
            f" path, {bad:,.0f} of them hit."
        )
    return (
        f"{what}, the rollout would go back by itself at {share} % after {after}: {_mails(mails)} had taken"
        f" the new path, {bad:,.0f} of them hit."
    )


@example(mails=14_000, inbox=0.962, staying=0.921)
def beside_staying(*, mails: int, inbox: float, staying: float) -> str:
    """The inbox share of a rollout's lanes beside staying on the shared path."""
    return f"Of what is delivered while it moves, {_percent(inbox)} would be in the inbox, and {_percent(staying)} had it stayed."


@example(
    ok=True,
    sent=(81_000, 81_000.0),
    delivered=(80_500, 80_499.2),
    bounces=(320, 321.0),
    complaints=(14, 14.0),
)
@example(
    ok=False,
    sent=(81_000, 79_000.0),
    delivered=(80_500, 78_499.2),
    bounces=(320, 280.0),
    complaints=(14, 9.0),
)
def repeats(
    *,
    ok: bool,
    sent: tuple[int, float],
    delivered: tuple[int, float],
    bounces: tuple[int, float],
    complaints: tuple[int, float],
) -> str:
    """Whether a week in which nothing changes comes out as last week was. Pairs: recorded, and played."""
    pairs = (("sent", sent), ("delivered", delivered), ("hard bounces", bounces), ("complaints", complaints))
    said = ", ".join(f"{name} {round(played):,} of {recorded:,}" for name, (recorded, played) in pairs)
    if ok:
        return f"Played without the change, the week comes out as last week was, within 1 % (feedback 5 %): {said}."
    return (
        "Do not trust this: played without the change, the week does not come out as last week was, within 1"
        f" % (feedback 5 %): {said}."
    )


@example(bounces=(290.0, 320), complaints=(15.2, 14), sent=(80_000, 81_000))
def week_before(*, sent: tuple[int, int], bounces: tuple[float, int], complaints: tuple[float, int]) -> str:
    """How well the week before last week would have foretold last week. Pairs: foretold, and happened."""
    return (
        "The coming week is taken to be like the last one. Foretold in the same way, last week would have had"
        f" {sent[0]:,} mails (it had {sent[1]:,}), {bounces[0]:,.0f} hard bounces ({bounces[1]:,}) and"
        f" {complaints[0]:,.0f} complaints ({complaints[1]:,})."
    )


@example()
def no_week_before() -> str:
    """There is no mail of the week before last week to compare with."""
    return (
        "The coming week is taken to be like the last one. How like each other your weeks are is not known:"
        " there is no mail of the week before."
    )


@example("yahoo", 12_000, 40.0, 95)
def worst_provider(provider: str, mails: int, foretold: float, happened: int) -> str:
    """The provider whose bounces the week before would have foretold worst."""
    return f"Foretold worst was {provider}: {foretold:,.0f} hard bounces of {_mails(mails)}, and {happened:,} came."


@example(["gmx (679 mails)", "apple (12 mails)"])
def thin_providers(providers: list[str]) -> str:
    """Providers with too little mail to tell."""
    return f"Too few mails to tell, below 1,000 in the week: {phrases.listed(providers)}."


@example(14, 214)
def thin_lanes(number: int, of: int) -> str:
    """Lanes with too little mail to tell."""
    return (
        f"{number:,} of {phrases.count(of, 'lane')} had fewer than 200 mails in the week: what is said of"
        " each of them is mostly luck."
    )


@example(1_200)
def held_anyway(mails: int) -> str:
    """Mail of the week itself that the present policy would hold, without any change."""
    return (
        f"The present policy would hold {_mails(mails)} of the week itself, without any change: mailcordon"
        " policy backtest says which."
    )


@example()
def does_not_know_providers() -> str:
    """What the model of mailbox providers is made of."""
    return (
        "Providers publish no numbers. Inbox, spam folder and refusals come from a model whose numbers were"
        " chosen: compare with and without,"
        " and do not take its shares for a forecast."
    )


@example()
def does_not_know_list() -> str:
    """What a rehearsal does not know of a bought list."""
    return (
        "What is on the list is what the change says, else what reports say of such lists. Its addresses are"
        " spread over providers as the lane's own are."
    )


@example()
def does_not_play() -> str:
    """What a rehearsal leaves out."""
    return (
        "Not played: SES's own pause of a tenant, the account's guard, volume alarms, warm-up, what people"
        " do, and mail that last week held back."
        " Decisions are to the minute; the roles decide within seconds."
    )


@example()
def checklist_taken() -> str:
    """What a rehearsed rollout takes for granted."""
    return (
        "The checklist of the rollout is taken to hold, but for the warm-up's room: mailcordon rollout start"
        " --dry-run says what holds now."
        " Events come at their usual rate, without luck: a real rollout may wait longer at small shares."
    )


@example(scope="recipient", per="hour", cap=5)
def left_out(*, scope: str, per: str, cap: int) -> str:
    """A limit of the policy that counters cannot tell."""
    return f"Not played: the limit of {cap:,} a {per} ({scope}), since counts do not tell such mail apart."


@example()
def heading_stops() -> str:
    """Above what would stop mail."""
    return "What would be stopped, and who would notice:"


@example()
def heading_others() -> str:
    """Above what others lose."""
    return "What others would lose:"


@example()
def heading_steps() -> str:
    """Above the steps of a rollout."""
    return "Steps:"


@example()
def heading_trust() -> str:
    """Above what says how far a rehearsal can be believed."""
    return "How far this can be trusted:"


@example()
def nothing_stops() -> str:
    """Nothing would stop mail."""
    return "nothing"


@example()
def only_says() -> str:
    """Why a lane's breaker stops nothing."""
    return (
        "The lane's breaker only says what it would do: it does not hold mail of this lane yet. mailcordon"
        " breaker show says why."
    )


@example(12)
def more_stops(number: int) -> str:
    """Decisions of a rehearsal that are not printed."""
    return f"and {number:,} more (--json)"


@example("payments-team")
def owner(group: str) -> str:
    """Whose tenant it is that a rehearsal is about."""
    return f"The tenant belongs to {group}."
