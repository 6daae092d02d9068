"""What is found at SES that differs from what is desired: one sentence of consequence for each kind (docs/drift.md).

Where SES's management event tells who made a change and when, that follows.
"""

from mailcordon.messages.catalogue import example


@example("zen can send as mail.acme.example, which belongs to acme.", "association", "14:02", "role X")
@example("No mail leaves through mc-urgent: sending is switched off there.", "change", None, None)
def with_origin(sentence: str, what: str, at: str | None, who: str | None) -> str:
    """A finding, with who made the change and when, where SES's management event tells."""
    if at is None or who is None:
        return sentence
    return f"{sentence} {what.capitalize()} made {at} by {who}."


@example("acme", "ACCOUNT", ["BOUNCE"])
@example("acme", None, None)
@example("acme", "TENANT", [])
def tenant_suppression(tenant: str, scope: str | None, reasons: list[str] | None) -> str:
    """The SES tenant no longer uses its own suppression list for bounces and complaints."""
    if scope != "TENANT":
        return (
            f"{tenant} uses the account's suppression list: a bounce of another tenant can block {tenant}'s mail,"
            f" and {tenant}'s bounces block others."
        )
    kinds = " and ".join(reasons or []) or "nothing"
    return f"SES suppresses {kinds} for {tenant}, instead of BOUNCE and COMPLAINT: mail can go to addresses that must not get it."


@example("mc-urgent", "ACCOUNT", None)
@example("mc-urgent", None, ["BOUNCE", "COMPLAINT"])
@example("mc-marketing", None, [])
def set_suppression(set_name: str, scope: str | None, reasons: list[str] | None) -> str:
    """A configuration set overrides the suppression of every tenant that sends through it."""
    if scope is not None:
        return (
            f"Mail through {set_name} uses the {scope.lower()} suppression list, whatever its tenant has:"
            " addresses of one tenant can block another's mail."
        )
    kinds = "the tenant's own reasons" if reasons is None else " and ".join(reasons) or "nothing"
    return f"Mail through {set_name} is suppressed for {kinds}, which is not what its class needs."


@example(["BOUNCE"], [])
@example(None, ["BOUNCE", "COMPLAINT"])
def account_suppression(was: list[str] | None, reasons: list[str] | None) -> str:
    """The account's own suppression list has other reasons than when they were last accepted."""
    return (
        f"The account's suppression list now blocks {' and '.join(reasons or []) or 'nothing'}, and it was"
        f" {' and '.join(was or []) or 'nothing'}: mail that is sent without Mailcordon is affected."
    )


@example("identity", "mail.acme.example")
def missing_resource(kind: str, name: str) -> str:
    """Something that Mailcordon made at SES no longer exists."""
    return f"The {kind} {name} no longer exists at SES: mail that uses it is refused."


@example("acme", "identity mail.acme.example")
def missing_association(tenant: str, resource: str) -> str:
    """An SES tenant is no longer associated with something that it sends through."""
    return f"{tenant} is no longer associated with the {resource}: SES refuses its mail through it."


@example("zen", "mail.acme.example", "acme")
@example("zen", "mc-acme-urgent", "acme", True)
def shared_association(tenant: str, domain: str, owner: str, is_set: bool = False) -> str:
    """One of our SES tenants is associated with a domain or set of another of our tenants."""
    if is_set:
        return f"{tenant} can send through the configuration set {domain}, which belongs to {owner}."
    return f"{tenant} can send as {domain}, which belongs to {owner}."


@example("other-app", "mail.acme.example", "acme")
def foreign_association(ses_tenant: str, resource: str, owner: str) -> str:
    """An SES tenant that is not ours is associated with something of a tenant."""
    return f"The SES tenant {ses_tenant}, which is not Mailcordon's, can send through {resource} of {owner}."


@example("zen", "identity/other.example")
@example("zen", "configuration-set/mc-urgent", True)
def extra_association(tenant: str, resource: str, known: bool = False) -> str:
    """One of our SES tenants is associated with something that Mailcordon did not make, or that no lane needs there."""
    if known:
        return (
            f"An SES tenant of {tenant} is associated with {resource}, which no lane needs there: mail can leave through it"
            " uncounted."
        )
    return f"{tenant} is associated with {resource}, which Mailcordon does not know: mail can leave through it uncounted."


@example("acme", "none", "standard")
@example("acme", None, "standard")
def reputation_policy(tenant: str, has: str | None, want: str) -> str:
    """SES's reputation policy of a tenant is another one."""
    if has == "strict":
        return f"SES pauses {tenant} at any finding: its reputation policy is strict, and {want} is desired."
    if has == "standard":
        return f"SES pauses {tenant} at serious findings only: its reputation policy is standard, and {want} is desired."
    return (
        f"SES no longer pauses {tenant} when its bounces or complaints are too high: its reputation policy is"
        f" {has or 'not set'}, and {want} is desired."
    )


@example("acme", "DISABLED", "Status manually updated.", False)
@example("acme", "DISABLED", None, True)
def tenant_disabled(tenant: str, status: str, cause: str | None, by_aws: bool) -> str:
    """SES does not send for a tenant."""
    says = f' SES says: "{cause.rstrip(".")}".' if cause else ""
    what = (
        "AWS has stopped it, and only a support case ends that" if by_aws else "it was paused in this account"
    )
    return f"No mail of {tenant} leaves: its status at SES is {status}, and {what}.{says}"


@example("mc-urgent")
def sending_off(set_name: str) -> str:
    """Sending is switched off on a configuration set."""
    return f"No mail leaves through {set_name}: sending is switched off there."


@example("mail.acme.example")
def dkim_off(domain: str) -> str:
    """DKIM signing is switched off for a domain."""
    return f"Mail from {domain} leaves without a DKIM signature: mailbox providers may reject it or call it spam."


@example("mail.acme.example", "SigningAttributesOrigin", "AWS_SES", "EXTERNAL")
def dkim_key(domain: str, member: str, was: str | None, has: str | None) -> str:
    """The DKIM key of a domain is another one than before."""
    return (
        f"The DKIM key of {domain} was changed ({member}: {was or 'none'} to {has or 'none'}): without the new records"
        " in the DNS its mail does not pass DKIM. Publish them, then accept the change."
    )


@example("mail.acme.example", "bounce.mail.acme.example", None)
@example("mail.acme.example", None, "bounce.mail.acme.example")
@example("mail.acme.example", None, None)
def mail_from(domain: str, was: str | None, has: str | None) -> str:
    """The custom MAIL FROM of a domain was changed or removed."""
    if has is None and was is None:
        return f"What SES does with mail from {domain} without the MX of a MAIL FROM was changed; it has no MAIL FROM now."
    if has is None:
        return f"Mail from {domain} leaves with SES's own MAIL FROM instead of {was}: SPF no longer aligns with the domain."
    if was is None:
        return f"Mail from {domain} leaves with the MAIL FROM {has}, which nobody asked for here."
    if was == has:
        return f"Mail from {domain} no longer leaves as agreed while the MX of {has} is not found."
    return f"Mail from {domain} leaves with the MAIL FROM {has} instead of {was}."


@example("mail.acme.example", "bounce.mail.acme.example", "FAILED")
def mail_from_failed(domain: str, mail_from: str, status: str) -> str:
    """SES does not find the MX of a custom MAIL FROM."""
    return (
        f"SES does not find the MX record of {mail_from} ({status}): mail from {domain} falls back to SES's own MAIL FROM"
        " or is refused. Publish the records that `mailcordon identity show` prints."
    )


@example("mail.acme.example", "ungoverned", None)
@example("mail.acme.example", "ungoverned", "other")
def default_set(domain: str, want: str, has: str | None) -> str:
    """The default configuration set of a domain is missing or another one."""
    return (
        f"Mail that is sent from {domain} without Mailcordon is not seen: its default configuration set is"
        f" {has or 'missing'}, not {want}."
    )


@example("mail.acme.example", "partner")
def identity_policy(domain: str, policy: str) -> str:
    """A sending authorization policy was added to a domain or changed."""
    return (
        f"The sending authorization policy {policy} of {domain} was added, changed or removed: another AWS account may"
        f" send as {domain}."
    )


@example("mail.acme.example")
def feedback_forwarding(domain: str) -> str:
    """SES forwards bounces and complaints of a domain by e-mail."""
    return f"SES e-mails every bounce and complaint of {domain} to its sender address as well."


@example("mc-urgent", "outcome")
def missing_destination(set_name: str, destination: str) -> str:
    """An event destination of a configuration set no longer exists."""
    return f"The event destination {destination} of {set_name} no longer exists: its events are lost."


@example("mc-urgent", "outcome")
def destination_disabled(set_name: str, destination: str) -> str:
    """An event destination is switched off."""
    return f"The event destination {destination} of {set_name} is switched off: its events are lost."


@example("mc-urgent", "outcome", "arn:aws:sns:us-east-1:1:other")
@example("mc-urgent", "outcome", None)
def destination_redirected(set_name: str, destination: str, topic: str | None) -> str:
    """An event destination publishes to somewhere else."""
    return f"Events of {set_name} ({destination}) go to {topic or 'something that is no SNS topic'} and do not reach Mailcordon."


@example("mc-urgent", "outcome", ["BOUNCE"], [])
@example("mc-urgent", "outcome", [], ["OPEN"])
def destination_events(set_name: str, destination: str, fewer: list[str], more: list[str]) -> str:
    """An event destination publishes other kinds of events."""
    what = f"no longer publishes {', '.join(fewer)}" if fewer else f"also publishes {', '.join(more)}"
    return f"The event destination {destination} of {set_name} {what}: outcomes are counted wrong."


@example("mc-urgent", "copy")
def extra_destination(set_name: str, destination: str) -> str:
    """A configuration set of ours has an event destination that Mailcordon did not make."""
    return f"Events of {set_name}, with recipients' addresses, are also sent to {destination}, which is not Mailcordon's."


@example("mc-urgent", "REQUIRE", "OPTIONAL")
@example("mc-urgent", None, "REQUIRE")
def tls_policy(set_name: str, was: str | None, has: str | None) -> str:
    """The TLS policy of a configuration set is another one than before."""
    if has == "REQUIRE":
        return (
            f"Mail through {set_name} is not delivered to hosts without TLS: the policy is REQUIRE, and it was"
            f" {was or 'not set'}."
        )
    return (
        f"Mail through {set_name} may travel without TLS: the policy is {has or 'not set'}, and it was"
        f" {was or 'not set'}."
    )


@example("mc-urgent", 900, 50_400)
@example("mc-urgent", 900, None)
def max_delivery(set_name: str, want: int, has: int | None) -> str:
    """SES tries for another time to deliver the mail of a configuration set."""
    return (
        f"SES tries {has or 50_400} seconds to deliver mail through {set_name} instead of {want}: it can arrive too late,"
        " or be given up too early."
    )


@example("mc-abc-marketing", "bulk", None)
@example("mc-abc-marketing", "ses-shared-pool", "bulk")
def sending_pool(set_name: str, want: str, has: str | None) -> str:
    """The mail of a configuration set leaves from other IP addresses than a plan chose."""
    return (
        f"Mail through {set_name} leaves from {has or 'the default addresses of the account'} instead of {want}: another"
        " reputation is used and fed."
    )


@example("mc-urgent", "engagement")
def tracking(set_name: str, how: str) -> str:
    """Opens and clicks are tracked where they must not be."""
    return f"SES rewrites links and adds a pixel in mail through {set_name} ({how}), which must leave as it was written."


@example()
def account_tracking() -> str:
    """VDM's engagement metrics of the account differ from what was accepted."""
    return "VDM settings of the account were changed: with engagement metrics on, SES rewrites links in all mail of the account."


@example("identity mail.acme.example")
def tags(resource: str) -> str:
    """The tags of a resource are others than before."""
    return f"The tags of the {resource} were changed: reports and IAM rules that use them change too."


@example("xn--acm-qlc.example", "acmе.example", "evil", "acme.example", "acme")
def look_alike(domain: str, shown: str, slug: str, other: str, others_slug: str) -> str:
    """A tenant's domain reads like another tenant's. Only platform keys see this."""
    shows = domain if shown == domain else f"{domain} (shown as {shown})"
    compare = f"Compare who the two are; `mailcordon cordon {slug}` stops its mail."
    return f"{shows} of {slug} reads like {other} of {others_slug}. {compare}"


@example("kim@mail.acme.example", "mail.acme.example")
@example("acme.example", "mail.acme.example")
def nearby_identity(name: str, domain: str) -> str:
    """An identity that is not ours lies above or below a domain of ours."""
    if "@" in name or name.endswith(f".{domain}"):
        return (
            f"The identity {name} is not Mailcordon's and is matched before {domain}: SES refuses mail from it, or sends"
            " it with other settings."
        )
    return (
        f"The identity {name} is not Mailcordon's and covers {domain}: mail can be sent as {domain} through it,"
        " uncounted."
    )


@example("other.example")
def extra_identity(name: str) -> str:
    """The account has an identity that Mailcordon did not make."""
    return f"The identity {name} is not Mailcordon's: mail from it is not governed."


@example("old-set")
def extra_set(name: str) -> str:
    """The account has a configuration set that Mailcordon did not make."""
    return f"The configuration set {name} is not Mailcordon's: events of mail through it are not seen."


@example("other-app")
def extra_tenant(name: str) -> str:
    """The account has an SES tenant that Mailcordon did not make."""
    return f"The SES tenant {name} is not Mailcordon's: its mail shares the account's reputation and quota."


@example("configuration-set mc-urgent", "ArchivingOptions.ArchiveArn", None, '"arn:..."')
def unknown_difference(resource: str, member: str, was: str | None, has: str | None) -> str:
    """Something differs at SES that no check of this version knows."""
    return (
        f"{member} of the {resource} was {was or 'not set'} and is {has or 'not set'} now. This version does not know"
        " what follows from it: look at it, then accept it."
    )


@example("identity", "DkimAttributes.NewMember", "mail.acme.example")
def new_member(kind: str, member: str, example: str) -> str:
    """SES's answers have a member that this version does not know."""
    return (
        f"SES returns {member} for each {kind.replace('-', ' ')} (first seen at {example}). The installed SDK is newer than this"
        " version's table, so nothing says what follows from it. Its value is kept, and changes of it are reported."
    )


@example()
def differs() -> str:
    """What a tenant's own key sees of a finding: others may be named in it."""
    return "Something at SES differs from what is desired; whoever runs the platform sees what."


@example()
def repaired() -> str:
    """Why a finding ended: Mailcordon repaired it."""
    return "repaired"


@example("SES e-mails every bounce and complaint of mail.acme.example to its sender address as well.")
def comes_back(sentence: str) -> str:
    """The reason of a plan for a difference that is not repaired by itself any more, since it comes back each time."""
    return (
        f"{sentence} It was repaired several times in the last hour and came back: something else sets another value. Find"
        " it before you apply this plan."
    )


@example()
def undone() -> str:
    """Why a finding ended: SES has what is desired again, and it was not Mailcordon that changed it."""
    return "SES has again what is desired; somebody else changed it back"


@example()
def no_longer_wanted() -> str:
    """Why a finding ended: a plan took away the resource that it was about."""
    return "what it was about is no longer wanted at SES"


@example("Kim", "our new archive")
def accepted(by: str, because: str) -> str:
    """Why a finding ended: a person accepted it."""
    return f"accepted by {by}: {because}"


@example("create identity mail.acme.example")
def not_allowed(change: str) -> str:
    """Why a resource is not as desired: the change that it needs waits for a person."""
    return f"this waits for a plan that a person applies: {change}"


@example(12)
def no_finding(finding: int) -> str:
    """There is no finding with this number."""
    return f"there is no finding {finding}; `mailcordon drift` lists them"


@example(12)
def finding_over(finding: int) -> str:
    """A finding that ended cannot be accepted."""
    return f"finding {finding} is over already"


@example(12)
def not_acceptable(finding: int) -> str:
    """A finding cannot be accepted, since Mailcordon needs another value."""
    return (
        f"finding {finding} cannot be accepted: another value is desired there. Apply the plan that repairs it, or change"
        " what is desired"
    )


@example("tenant-supression")
def no_kind(kind: str) -> str:
    """There is no kind of difference with this name."""
    return f"there is no kind of difference {kind!r}; `mailcordon drift policy` lists them"


@example("tags")
def hold_needs_isolation(kind: str) -> str:
    """A policy holds mail only for what breaks isolation."""
    return f"{kind} does not break isolation between tenants, so it holds no mail"


@example("dkim-key")
def nothing_to_apply(kind: str) -> str:
    """A policy cannot apply a repair where SES has no call for it."""
    return f"no call to SES repairs {kind}: it can only be proposed"


@example("shared-association")
def a_person_removes(kind: str) -> str:
    """A policy cannot apply a repair that takes away what somebody else made."""
    return f"the repair of {kind} takes away what somebody else made, so a person applies its plan each time"


@example("12")
def hold_because(finding: str) -> str:
    """The reason of a hold that the policy of a finding placed."""
    return f"isolation at SES is broken: see `mailcordon drift show {finding}`"


@example()
def hold_over() -> str:
    """Why the hold of a finding was lifted."""
    return "what was found at SES is over"


# What the command line prints around findings ---------------------------------------------------------------------------


@example()
def drift_none() -> str:
    """`drift`: nothing is open."""
    return "Nothing differs at SES from what is desired, as far as it was read."


@example()
def drift_open() -> str:
    """`drift`: the state of a finding."""
    return "open"


@example()
def drift_over() -> str:
    """`drift`: the state of a finding that ended."""
    return "ended"


@example(plan="17", finding="12")
def drift_plan(*, plan: str, finding: str) -> str:
    """`drift show`: what to do next, if a plan waits."""
    return f"`mailcordon apply {plan}` repairs it; `mailcordon drift accept {finding}` accepts it, if that is meant."


@example()
def drift_repairs_itself() -> str:
    """`drift show`: what happens next, if the policy applies the repair."""
    return "It is being repaired: its policy applies the repair."


@example(finding="12")
def drift_by_hand(*, finding: str) -> str:
    """`drift show`: what to do next, if no call to SES repairs it."""
    return f"No call of Mailcordon repairs it. Change it at SES, or accept it: `mailcordon drift accept {finding}`."


@example(finding=12)
def drift_accepted(*, finding: int) -> str:
    """`drift accept`: done."""
    return f"Finding {finding} is accepted: what SES has there is compared with what it is now."
