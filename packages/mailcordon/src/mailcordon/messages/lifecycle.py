"""What it means to move, retire, bring back or erase: what will happen, whom it touches, what stays."""

from mailcordon.messages import example, phrases


def _time(seconds: float) -> str:
    if seconds < 120:
        return f"{seconds:.0f} s"
    if seconds < 7_200:
        return f"{seconds / 60:.0f} min"
    return f"{seconds / 3600:.0f} h" if seconds <= 72 * 3600 else f"{seconds / 86_400:.0f} days"


# What retiring does --------------------------------------------------------------------------------------------------------


@example("acme", ["newsletter"])
@example("acme", ["invoice", "newsletter"])
def takes_no_mail(slug: str, types: list[str]) -> str:
    """A preview of a retirement: new mail is refused."""
    return f"From now on {slug} takes no new mail of {phrases.listed(types)}: requests get 422 with the code lane-retired."


@example("acme")
def tenant_takes_none(slug: str) -> str:
    """A preview of a tenant's retirement: new mail is refused."""
    return f"From now on {slug} takes no new mail: requests get 422 with the code tenant-retired."


@example("newsletter", 1_200, 3, cancels=False)
@example("newsletter", 1_200, 3, cancels=True)
@example("newsletter", 0, 0, cancels=False)
def mail_of_lane(type: str, queued: int, sending: int, *, cancels: bool) -> str:
    """A preview of a retirement: what becomes of the mail in a lane's queue."""
    if not queued and not sending:
        return f"{type}: its queue is empty."
    said = f"{type}: {phrases.deliveries(queued)} in its queue {'is' if queued == 1 else 'are'} "
    said += "cancelled" if cancels else "sent first"
    if sending:
        are, end = ("is", "ends by itself") if sending == 1 else ("are", "end by themselves")
        said += f"; {phrases.deliveries(sending)} {are} on the wire or outcome unknown and {end}"
    return said + "."


@example("newsletter", 'hold 17 "complaints" by kim', 72 * 3600)
def held_lane_drains(type: str, hold: str, expires_in: float) -> str:
    """A preview of a retirement, the status and a tenant's page: mail of a retired lane that a hold keeps."""
    return (
        f"{type}: {hold} keeps its mail. The lane ends once the hold is lifted and the mail has left, or once the mail has "
        f"expired, which takes {_time(expires_in)} at most."
    )


@example(["newsletter"], 14 * 3600)
@example(["invoice", "newsletter"], 14 * 3600)
def waits_for_reports(types: list[str], seconds: float) -> str:
    """A preview of a retirement: when SES's resources go."""
    use, queues = ("uses", "its queue is") if len(types) == 1 else ("use", "their queues are")
    return (
        f"What only {phrases.listed(types)} {use} at SES goes when {queues} "
        f"empty and SES has had {_time(seconds)}, its own limit, to report on the last mail."
    )


@example(["mc-acme-marketing"], 7 * 86_400)
@example(["mc-acme-marketing", "mc-acme-urgent"], 14 * 3600)
def sets_are_kept(names: list[str], seconds: float) -> str:
    """A preview: when configuration sets of the tenant's own are deleted at SES, and what is lost then."""
    are, their, that = ("is", "its", "it") if len(names) == 1 else ("are", "their", "them")
    return (
        f"{phrases.listed(names)} {are} deleted {_time(seconds)} after {their} last mail. What SES would report of mail through "
        f"{that} after that, such as a late complaint, is lost."
    )


@example(
    ["disassociate configuration-set/mc-marketing from tenant mc-acme", "delete identity news.acme.example"]
)
def removes_at_ses(changes: list[str]) -> str:
    """A preview: the calls to SES that remove something."""
    return f"At SES: {'; '.join(changes)}."


@example(["associate identity/news.acme.example with tenant mc-acme"])
@example(["create configuration-set (3)", "create event-destination (6)"])
def makes_at_ses(changes: list[str]) -> str:
    """A preview: the calls to SES that make or change something."""
    return f"At SES: {'; '.join(changes)}."


@example()
def nothing_at_ses() -> str:
    """A preview: SES is not called."""
    return "Nothing changes at SES."


@example(2)
@example(1)
def revokes_keys(keys: int) -> str:
    """A preview of a tenant's retirement: its keys."""
    return (
        f"{'1 key' if keys == 1 else f'{keys} keys'} of the tenant {'is' if keys == 1 else 'are'} revoked at once. Bringing the "
        "tenant back makes no key valid again."
    )


@example("acme", "news.acme.example")
def domain_reserved(slug: str, domain: str) -> str:
    """A preview of a retirement: who may use a retired domain."""
    return f"{domain} stays reserved for {slug}: no other tenant can use it."


@example()
def keeps_records() -> str:
    """A preview of a retirement: what stays."""
    return "Records, suppressions, holds and the audit trail stay. Events that arrive later count for the mail they are about."


@example("mc-acme")
def list_at_ses_goes(ses_tenant: str) -> str:
    """A preview of a deletion of an SES tenant: SES's own suppression list of it."""
    return f"SES deletes the suppression list of its tenant {ses_tenant}. Mailcordon's own stays and is checked first."


@example("retire-lane", "acme")
def nothing_to_do(verb: str, slug: str) -> str:
    """A verb would change nothing, since it was done before (409)."""
    return f"There is nothing to do: {verb} was done for {slug} before."


@example("retire-lane")
def missing_for(verb: str) -> str:
    """A request for a verb lacks a field (422)."""
    return f"is required for {verb}"


@example("retire-tenant")
def not_beside(verb: str) -> str:
    """A request for a verb has a field that says nothing for it (422)."""
    return f"says nothing beside {verb}: leave it out"


# Whom it touches -------------------------------------------------------------------------------------------------------------


@example("news.acme.example", ["announcement"])
def domain_stays(domain: str, types: list[str]) -> str:
    """A preview: other lanes of the tenant send from the same domain."""
    return f"{domain} stays as it is: {phrases.listed(types)} {'sends' if len(types) == 1 else 'send'} from it too."


@example("acme", ["invoice", "password-reset"])
@example("acme", [])
def others_unchanged(slug: str, types: list[str]) -> str:
    """A preview: the lanes that an action does not touch."""
    others = f"{phrases.listed(types)} of {slug} and every other tenant" if types else "Every other tenant"
    return f"{others} {'are' if types else 'is'} not touched."


@example("mail.acme.example", ["invoice"])
def reputation_shared(domain: str, types: list[str]) -> str:
    """A preview of a move: lanes whose domain the lane will share."""
    return f"It shares the reputation of {domain} with {phrases.listed(types)}."


# Bringing back ---------------------------------------------------------------------------------------------------------------


@example("acme", ["newsletter"])
def takes_mail_again(slug: str, types: list[str]) -> str:
    """A preview of an unretirement: new mail is taken."""
    return f"{slug} takes mail of {phrases.listed(types)} again."


@example("news.acme.example")
def domain_again(domain: str) -> str:
    """A preview of an unretirement: the domain was deleted at SES."""
    return f"{domain} is made at SES again. Its lanes hold their mail until SES has verified it, perhaps with new DNS records."


@example("acme")
def keys_stay_revoked(slug: str) -> str:
    """A preview of a tenant's unretirement: its keys."""
    return f"The keys that were revoked stay so: make a new one with `mailcordon key create {slug}`."


@example("acme", ["newsletter"])
def stay_retired(slug: str, types: list[str]) -> str:
    """A preview of an unretirement: what had been retired by itself before."""
    return f"{phrases.listed(types)} of {slug} had been retired before and {'stays' if len(types) == 1 else 'stay'} so."


# Moving -----------------------------------------------------------------------------------------------------------------------


@example("acme", "newsletter", "mail.acme.example", "news.acme.example")
def sends_from(slug: str, type: str, was: str, to: str) -> str:
    """A preview of a move of a lane to another domain."""
    return (
        f"{slug} sends {type} from {to} instead of {was}: from now on requests with a From address at {was} get 422 with the "
        "code foreign-domain."
    )


@example("newsletter", 1_200, "mail.acme.example")
def keeps_from(type: str, queued: int, was: str) -> str:
    """A preview of a move: mail that is in the queue keeps its From address."""
    return (
        f"{type}: {phrases.deliveries(queued)} in its queue keep their From address at {was}, which stays associated until they "
        "have left."
    )


@example("news.acme.example")
def held_until_verified(domain: str) -> str:
    """A preview of a move to a domain that SES has not verified."""
    return f"The lane is held until SES has verified {domain}."


@example(["invoice", "newsletter"])
def moves_when_made(types: list[str]) -> str:
    """A preview of a change of topology: when the routes move."""
    go = "goes" if len(types) == 1 else "go"
    return f"{phrases.listed(types)} {go} over to the new sets and SES tenants once SES has them. No mail waits for that."


@example()
def settled_on_old_set() -> str:
    """A preview of a change of topology: calls that are on their way."""
    return (
        "Calls whose outcome is unknown are settled by the events of the old set, which stays until they are."
    )


@example(["mc-acme"])
def lists_not_copied(ses_tenants: list[str]) -> str:
    """A preview of a change of topology: SES's suppression lists."""
    return (
        f"SES's own suppression list of {phrases.listed(ses_tenants)} is not copied. "
        "Mailcordon's suppressions are checked first, for every route."
    )


@example("newsletter")
def waits_for_ses(type: str) -> str:
    """A tenant's page: a lane that is being retired has no mail any more."""
    return f"{type}: it ends once SES has had its time to report on the last mail."


# While it goes on -------------------------------------------------------------------------------------------------------------


@example()
def cancelled_with_its_lane() -> str:
    """Why mail was cancelled whose lane was retired, in its timeline and the audit trail."""
    return "Its lane was retired, and its mail was to be cancelled"


@example()
def revoked_with_tenant() -> str:
    """The audit trail, for each key of a tenant that is retired."""
    return "Its tenant was retired"


@example()
def nothing_needs_it() -> str:
    """The audit trail, when a lane, a domain or a tenant that was being retired ends."""
    return "No mail is in its queue, and SES has had its time to report on the last"


# Erasing ---------------------------------------------------------------------------------------------------------------------


@example(1_204, 100_000)
@example(100_000, 100_000)
def erases_mail(deliveries: int, counted_to: int) -> str:
    """A preview of an erasure: mail."""
    some = (
        f"more than {counted_to:,} deliveries" if deliveries >= counted_to else phrases.deliveries(deliveries)
    )
    return (
        f"The sender and recipient addresses, contents and remarks of mailbox providers of {some} are erased. States, times and "
        "counts stay."
    )


@example(12)
def erases_suppressions(suppressions: int) -> str:
    """A preview of an erasure: suppressions."""
    return (
        f"The addresses and evidence of {suppressions:,} suppression{'' if suppressions == 1 else 's'} are erased. They still "
        "work: a keyed hash of each address stays."
    )


@example(3)
def erases_quarantine(documents: int) -> str:
    """A preview of an erasure: quarantined documents."""
    return f"{documents:,} document{'' if documents == 1 else 's'} in quarantine that are certainly the tenant's are deleted."


@example()
def erases_templates() -> str:
    """A preview of an erasure: templates."""
    return "Its templates are deleted, all versions."


@example()
def erases_audit() -> str:
    """A preview of an erasure: the audit trail."""
    return "Addresses in its rows of the audit trail are erased. The rows stay, and their chain can still be verified."


@example()
def erasure_keeps() -> str:
    """A preview of an erasure: what stays."""
    return "The tenant's name, domains, lanes, keys, counts and the reasons that people gave stay."


@example()
def backups_keep() -> str:
    """A preview of an erasure: what it does not reach."""
    return "Backups of the database, SES's own records and logs of this platform keep what they have until they are deleted."


@example()
def not_undone() -> str:
    """A preview of an erasure."""
    return "This cannot be undone. What SES still reports is erased within a day."


@example("acme")
def erase_only_retired(slug: str) -> str:
    """An erasure is asked for a tenant that is in use, or whose mail still leaves (409)."""
    return f"{slug} is not retired. Retire it first with `mailcordon tenant retire {slug}`, and wait until its mail has left."


@example("acme")
def no_erasure(slug: str) -> str:
    """The progress of an erasure is asked for, and there is none (404)."""
    return f"No erasure of {slug} was asked for."


@example("acme")
def being_erased(slug: str) -> str:
    """A tenant is to be brought back while its personal data is being erased (409)."""
    return f"The personal data of {slug} is being erased. Bring it back after that."


@example()
def erased() -> str:
    """Stands for the details of a delivery whose personal data was erased."""
    return "Erased with the personal data of its tenant"


# What the command line prints around a change ---------------------------------------------------------------------------


@example(plan=17)
def change_heading(*, plan: int) -> str:
    """Above what `lane move`, `tenant retire` and the like will do."""
    return f"Plan {plan}:"


@example()
def change_touches() -> str:
    """Above whom a change touches."""
    return "Others:"


@example()
def change_keeps() -> str:
    """Above what a change leaves as it is."""
    return "What stays:"


@example(plan=17, calls="3 calls")
@example(plan=17, calls=None)
def change_applied(*, plan: int, calls: str | None) -> str:
    """A change was applied."""
    if calls is None:
        return f"Plan {plan} is applied."
    return f"Plan {plan} is applied. {calls} to SES follow, some once mail has left: see `mailcordon plans show {plan}`."


@example(state="open")
def retiring(*, state: str) -> str:
    """The state of a lane that takes no new mail and still has some, or waits for SES."""
    return f"{state}, retiring"


@example(tenant="acme", since="2026-11-29 14:02 (2 h ago)", ended=False)
@example(tenant="acme", since="2026-11-29 14:02 (2 h ago)", ended=True)
def tenant_is_retired(*, tenant: str, since: str, ended: bool) -> str:
    """`tenant show` of a retired tenant."""
    return f"{tenant} takes no mail since {since}" + (
        ", and its mail has left." if ended else ". Its mail is leaving."
    )


@example()
def retirement_waits() -> str:
    """Above what lanes that are being retired wait for."""
    return "Being retired:"


@example(tenant="acme")
def erase_question(*, tenant: str) -> str:
    """The question of `tenant erase`."""
    return f"Erase the personal data of {tenant} for good?"


@example(tenant="acme")
def erasure_started(*, tenant: str) -> str:
    """`tenant erase` was confirmed."""
    return f"The erasure goes on in the background: `mailcordon tenant erasure {tenant}` shows how far it is."
