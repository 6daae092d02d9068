"""What a plan says: its steps, its changes at SES, what waits for a person and why, and why it cannot be made or applied."""

from datetime import UTC, datetime

from mailcordon.messages import example

# Steps -------------------------------------------------------------------------------------------------------------------


def _topology(sets: str, ses_tenants: str) -> str:
    return f"{sets} configuration sets and {'one SES tenant' if ses_tenants == 'one' else 'an SES tenant per class'}"


@example("acme", "shared", "one")
@example("acme", "dedicated", "per-class")
def adds_tenant(slug: str, sets: str, ses_tenants: str) -> str:
    """A step of a plan: a new tenant."""
    return f"add the tenant {slug}, with {_topology(sets, ses_tenants)}"


@example("acme", "mail.acme.example")
def adds_domain(slug: str, domain: str) -> str:
    """A step of a plan: a new domain of a tenant."""
    return f"add the domain {domain} to {slug}"


@example("acme", "newsletter", "news.acme.example")
def adds_lane(slug: str, type: str, domain: str) -> str:
    """A step of a plan: a new lane."""
    return f"let {slug} send {type} from {domain}"


@example("acme", "mail.acme.example", None, "bounce.mail.acme.example")
@example("acme", "mail.acme.example", "bounce.mail.acme.example", None)
@example("acme", "mail.acme.example", None, None)
def sets_mail_from(slug: str, domain: str, was: str | None, to: str | None) -> str:
    """A step of a plan: another MAIL FROM domain."""
    if was is None and to is None:
        return f"remove the MAIL FROM domain that {domain} of {slug} may have at SES"
    return f"change the MAIL FROM domain of {domain} of {slug} from {was or 'that of SES'} to {to or 'that of SES'}"


@example("acme", "newsletter", "mail.acme.example", "news.acme.example")
def moves_lane(slug: str, type: str, was: str, to: str) -> str:
    """A step of a plan: a lane sends from another domain."""
    return f"move the lane {type} of {slug} from {was} to {to}"


@example("acme", "shared", "one", "dedicated", "per-class")
def sets_topology(slug: str, sets: str, ses_tenants: str, new_sets: str, new_ses_tenants: str) -> str:
    """A step of a plan: a tenant gets configuration sets or SES tenants of its own, or gives them up."""
    return f"move {slug} from {_topology(sets, ses_tenants)} to {_topology(new_sets, new_ses_tenants)}"


def _mail(cancels: bool) -> str:
    return "its waiting mail is cancelled" if cancels else "its waiting mail still leaves"


@example("acme", "newsletter", cancels=False)
@example("acme", "newsletter", cancels=True)
def retires_lane(slug: str, type: str, *, cancels: bool) -> str:
    """A step of a plan: a lane ends."""
    return f"retire the lane {type} of {slug}; {_mail(cancels)}"


@example("acme", "news.acme.example")
def retires_domain(slug: str, domain: str) -> str:
    """A step of a plan: a domain ends."""
    return f"retire the domain {domain} of {slug}"


@example("acme", "news.acme.example")
def frees_domain(slug: str, domain: str) -> str:
    """A step of a plan: a domain is not the tenant's any more."""
    return (
        f"free the domain {domain}, which is not {slug}'s any more; its mail that has not left is cancelled"
    )


@example("acme", cancels=False)
@example("acme", cancels=True)
def retires_tenant(slug: str, *, cancels: bool) -> str:
    """A step of a plan: a tenant ends."""
    return f"retire the tenant {slug} with its lanes, domains and keys; {_mail(cancels)}"


@example("acme", "newsletter")
def unretires_lane(slug: str, type: str) -> str:
    """A step of a plan: a retired lane is used again."""
    return f"take the lane {type} of {slug} back into use"


@example("acme", "news.acme.example")
def unretires_domain(slug: str, domain: str) -> str:
    """A step of a plan: a retired domain is used again."""
    return f"take the domain {domain} of {slug} back into use"


@example("acme")
def unretires_tenant(slug: str) -> str:
    """A step of a plan: a retired tenant is used again."""
    return f"take the tenant {slug} back into use"


# Why a step is refused -----------------------------------------------------------------------------------------------------


@example()
def bad_topology() -> str:
    """A step names configuration sets or SES tenants of an unknown form (422)."""
    return "must be `shared` or `dedicated`, then `one` or `per-class`"


@example("acme")
def tenant_exists(slug: str) -> str:
    """A step adds a tenant that exists (409)."""
    return f"The tenant {slug} exists already."


@example("acme", "mail.acme.example")
def domain_exists(slug: str, domain: str) -> str:
    """A step adds a domain that the tenant has (409)."""
    return f"{slug} has the domain {domain} already."


@example("acme", "mail.acme.example")
def domain_retired(slug: str, domain: str) -> str:
    """A step uses a domain of the tenant that was retired (409)."""
    return f"{domain} of {slug} was retired. Take it back into use first: `mailcordon identity unretire {domain}`."


@example("acme", "news.acme.example")
def domain_freed(slug: str, domain: str) -> str:
    """A change of a domain that does not belong to the tenant any more."""
    return f"The domain {domain} is not {slug}'s any more. Add it again; that is refused if another tenant has it."


@example("acme", "news.acme.example", ["newsletter"])
def domain_in_use(slug: str, domain: str, types: list[str]) -> str:
    """A domain is to be freed or transferred while lanes send from it."""
    return (
        f"Lanes of {slug} send from {domain}: {', '.join(types)}. Move them to another domain, or retire them, in the same plan"
        " or before it."
    )


@example("acme", "mail.acme.example")
def no_domain(slug: str, domain: str) -> str:
    """A step uses a domain that the tenant does not have (422)."""
    return f"{slug} has no domain {domain}; add it first"


@example("mail.acme.example")
def not_in_dns_form(domain: str) -> str:
    """A step names a domain in another form than DNS has it (422)."""
    return f"must be written as in DNS: {domain}"


@example("mail.acme.example")
def mail_from_elsewhere(domain: str) -> str:
    """A step sets a MAIL FROM domain that SES would refuse (422)."""
    return f"must be below {domain}, such as bounce.{domain}"


@example("acme", "newsletter")
def lane_exists(slug: str, type: str) -> str:
    """A step adds a lane that exists (409)."""
    return f"{slug} has a lane for {type} already."


@example("acme", "newsletter")
def lane_retired(slug: str, type: str) -> str:
    """A step changes a lane that was retired (409)."""
    return f"The lane {type} of {slug} was retired. Take it back into use first: `mailcordon lane unretire {slug} {type}`."


# Plans -----------------------------------------------------------------------------------------------------------------------


@example(12)
def no_plan(id: int) -> str:
    """A request names a plan that does not exist (404)."""
    return f"There is no plan {id}."


@example(12, "applied", "Kim Lee (key 1a2b3c4d)")
@example(12, "rejected", "Kim Lee (key 1a2b3c4d)")
def plan_decided(id: int, state: str, by: str) -> str:
    """A plan is applied or rejected a second time (409)."""
    done = "rejected" if state == "rejected" else "applied"
    return f"Plan {id} was {done} by {by}."


@example("Kim Lee (key 1a2b3c4d)", 12, datetime(2026, 11, 28, 14, 2, tzinfo=UTC))
def plan_outdated(by: str, id: int, at: datetime) -> str:
    """A plan is applied after another one has changed the platform (409)."""
    return (
        f"{by} applied plan {id} at {at:%Y-%m-%d %H:%M} UTC. This plan was made before that; make a new one."
    )


@example()
def plan_outdated_by_settings() -> str:
    """A plan for changed settings is applied after the settings were changed again (409)."""
    return "The settings have changed again since this plan was made. Look at the newest plan: `mailcordon plans list`."


@example()
def settings_changed() -> str:
    """Why a plan waits that nobody made: the settings at the last start differ from those before."""
    return "the settings changed"


@example()
def no_change() -> str:
    """A plan is made, and there is nothing to do."""
    return "Nothing would change: SES was last seen as it should be."


@example()
def takes_away() -> str:
    """Why a change waits for a person."""
    return "it takes away what exists"


@example("event-destination", 8, 8)
@example("association", 1_200, 10_000)
def too_much(kind: str, touched: int, existing: int) -> str:
    """Why the changes of a plan wait for a person: there are too many."""
    return f"it rewires {touched:,} of {existing:,} resources of the kind {kind}"


@example("acme", "newsletter", "mail.acme.example", "news.acme.example", verified=True)
@example("acme", "newsletter", "mail.acme.example", "news.acme.example", verified=False)
def lane_moves(slug: str, type: str, was: str, to: str, *, verified: bool) -> str:
    """What a plan that moves a lane means for its mail."""
    if verified:
        held = f"Mail that waits at {was} still leaves."
    else:
        held = f"{to} is not verified yet: all {type} mail of {slug} is held until it is."
    return f"From then on {type} mail of {slug} is taken from {to} only, and refused from {was}. {held}"


@example("acme")
def topology_moves(slug: str) -> str:
    """What a plan that changes a tenant's configuration sets or SES tenants means for its mail."""
    return f"The lanes of {slug} move once SES has what is new. What is old goes when no call that used it is without an outcome."


@example()
def document_or_steps() -> str:
    """A plan is asked for with both a document and steps (422)."""
    return "give a document or steps, not both"


@example()
def prunes_a_document() -> str:
    """A plan is asked to retire what a document does not name, without a document (422)."""
    return "retires what a document does not name: give a document"


# Why a call is needed ----------------------------------------------------------------------------------------------------------


@example()
def missing() -> str:
    """A call that creates something."""
    return "SES does not have it"


@example()
def not_associated() -> str:
    """A call that lets an SES tenant send with something."""
    return "the tenant cannot send with it"


@example(
    {"topic": ("arn:aws:sns:us-east-1:1:old", "arn:aws:sns:us-east-1:1:new"), "enabled": ("false", "true")}
)
def differs(members: dict[str, tuple[str, str]]) -> str:
    """A call that changes something: what it is, and what it should be."""
    return "; ".join(f"{name} is {was}, should be {want}" for name, (was, want) in members.items())


@example()
def not_wanted_there() -> str:
    """A call that detaches something from an SES tenant."""
    return "the tenant should not send with it"


@example()
def not_wanted() -> str:
    """A call that deletes something."""
    return "nothing uses it any more"


# What the command line prints around a plan -----------------------------------------------------------------------------


@example("acme", "domain: mail.acme.example cannot be used: another tenant has it.")
def left_out(slug: str, why: str) -> str:
    """A plan was applied in parts, and somebody else has taken a name or a domain of one of its new tenants since it began."""
    return f"{slug} was not added: {why}"


@example()
def plan_is_empty() -> str:
    """`plan` found nothing to change. It compares with what SES was last seen to have."""
    return "Nothing to change: what was last seen at SES is what is desired."


@example(plan=17, by="Ana (key ops, mck_7Qp2)", because="acme gets invoices")
@example(plan=17, by="control", because="")
def plan_title(*, plan: int, by: str, because: str) -> str:
    """The first line of a plan."""
    return f"Plan {plan}, made by {by}{f': {because}' if because else ''}"


@example(calls="24 calls")
def plan_calls(*, calls: str) -> str:
    """Stands above the calls of a plan."""
    return f"At SES, {calls}:"


@example(number=120, plan=17)
def calls_hidden(*, number: int, plan: int) -> str:
    """A plan has more calls than are shown."""
    return f"and {number:,} more: mailcordon plans calls {plan}"


@example(number=120, plan=17)
def steps_hidden(*, number: int, plan: int) -> str:
    """A plan has more steps than are shown."""
    return f"and {number:,} more: mailcordon plans steps {plan}"


@example(tenants=9400)
def tenants_left(*, tenants: int) -> str:
    """A plan with many new tenants is being applied in parts."""
    return f"Being applied in parts: {tenants:,} tenants are still to be added."


@example(number=120)
def notes_hidden(*, number: int) -> str:
    """A plan says more beside its steps than is shown."""
    return f"and the same of {number:,} more"


@example()
def plan_waits() -> str:
    """Stands above the reasons for which calls of a plan are made only after a person applied it."""
    return "Waits for a person, because it"


@example(tenants=["acme"])
@example(tenants=["acme", "zen"])
@example(tenants=[])
@example(tenants=[f"tenant-{n}" for n in range(12)], more=9000)
def plan_touches(*, tenants: list[str], more: int = 0) -> str:
    """Whom a plan touches."""
    if not tenants:
        return "Touches what all tenants share."
    more += max(0, len(tenants) - 10)
    shown = ", ".join(tenants[:10]) + (f" and {more:,} more" if more else "")
    return f"Touches {shown}. Leaves all other tenants alone."


@example(seconds=24.0)
@example(seconds=4000.0)
def plan_takes(*, seconds: float) -> str:
    """How long the calls of a plan take at the rate of management calls, if nothing else waits."""
    shown = f"{seconds:.0f} seconds" if seconds < 120 else f"{seconds / 60:.0f} minutes"
    return f"Takes about {shown} at the rate that SES allows."


@example(plan=17)
def how_to_apply(*, plan: int) -> str:
    """What to do with a plan that was made."""
    return f"Nothing was changed. To apply it: mailcordon apply {plan}"


@example(plan=17)
def apply_question(*, plan: int) -> str:
    """Asked before a plan is applied."""
    return f"Apply plan {plan}?"


@example(
    call="associate identity/mail.acme.example with tenant mc-a1", said="TooManyRequestsException: Slow down."
)
def call_refused(*, call: str, said: str) -> str:
    """A call of a plan that SES refused. It is made again."""
    return f"{call}: SES refused: {said}"


@example(plan=17, calls="24 calls")
def plan_applied(*, plan: int, calls: str) -> str:
    """All calls of a plan were made."""
    return f"Plan {plan} is applied: {calls} made."


@example(plan=17, done=3, left=21)
def plan_goes_on(*, plan: int, done: int, left: int) -> str:
    """A plan is in force, and some of its calls are still to be made."""
    return (
        f"Plan {plan} is in force. {done:,} calls made, {left:,} to go: mailcordon plans show {plan} --watch"
    )


@example(plan=17, calls="2 calls")
def plan_has_failed_calls(*, plan: int, calls: str) -> str:
    """SES refused calls of a plan. Exit code 5."""
    return f"SES refused {calls} of plan {plan}. They are made again, ever less often; see why: mailcordon plans show {plan}"


@example(by="Ana (key ops, mck_7Qp2)", at="2026-11-28 15:23:01Z")
def plan_decided_by(*, by: str, at: str) -> str:
    """Who applied or rejected a plan."""
    return f"Decided by {by} at {at}."


@example(plan=17, state="applied")
def plan_state(*, plan: int, state: str) -> str:
    """The state of a plan."""
    return f"Plan {plan} is {state}."


@example(plan=17)
def plan_rejected(*, plan: int) -> str:
    """A plan was rejected."""
    return f"Plan {plan} is rejected. Nothing was changed."
