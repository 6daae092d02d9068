"""What is said about suppressions: why one stands, what SES's lists say, and what to do."""

import shlex

from mailcordon.messages.catalogue import example


@example("KIM@example.com", "mc-s7wbigebcqsw")
def still_listed(spelling: str, list: str) -> str:
    """A suppression is being removed, and SES still lists the address after it was told to delete it."""
    return f"SES still has {spelling} on the list of {list}"


@example("kim@example.com")
def listed_by_account(spelling: str) -> str:
    """A suppression is being removed, and SES's list of the account has the address and is checked for this tenant."""
    return (
        f"SES's list of the account has {spelling} and is checked for this tenant. It is shared with others, so Mailcordon does "
        f"not change it: `aws sesv2 delete-suppressed-destination --email-address {shlex.quote(spelling)}` does"
    )


@example("mc-s7wbigebcqsw")
def list_too_long(list: str) -> str:
    """A suppression is being removed, and SES's list has more entries than are read."""
    return f"SES's list of {list} has more than a million entries and cannot be read to its end"


@example("acme", "kim@example.com")
def may_be_mailed(tenant: str, address: str) -> str:
    """`suppression explain` of an address that nothing suppresses."""
    return f"{tenant} may mail {address}: nothing suppresses it"


@example("acme", "kim@example.com", "BOUNCE")
def only_ses_lists(tenant: str, address: str, reason: str) -> str:
    """`suppression explain` of an address that only a list of SES has: SES accepts its mail and drops it."""
    what = "marketing mail" if reason == "COMPLAINT" else "mail"
    return f"Nothing of ours suppresses {address} for {tenant}, but SES lists it ({reason}) and would drop {what} to it"


@example(number=3, by_ses=1, more=False, newest="28 Nov 2026 15:23 UTC", standing=True)
@example(number=20, by_ses=0, more=True, newest="28 Nov 2026 15:23 UTC", standing=True)
@example(number=1, by_ses=1, more=False, newest="28 Nov 2026 15:23 UTC", standing=False)
def dropped(*, number: int, by_ses: int, more: bool, newest: str, standing: bool) -> str:
    """`suppression explain`: the mails that did not reach the address because it is, or was, suppressed."""
    one = number == 1 and not more
    mails = "1 mail to it was" if one else f"{'More than ' if more else ''}{number} mails to it were"
    where = (
        "by SES" if by_ses == number else f"{by_ses} of them by SES" if by_ses else "before SES was called"
    )
    why = "because it is suppressed" if standing else "while it was suppressed"
    return f"{mails} dropped {why}, {where}, the last on {newest}"


@example("mc-s7wbigebcqsw", "kim@example.com")
def ses_lists_and_we_do_not(list: str, spelling: str) -> str:
    """`suppression explain`: a disagreement. SES would drop mail that we would send."""
    return f"SES's list of {list} has {spelling}; ours has not"


@example(["mc-s7wbigebcqsw"])
def we_suppress_and_ses_does_not(lists: list[str]) -> str:
    """`suppression explain`: a disagreement. Ours holds, since it is checked first."""
    return f"Ours suppresses it, and is checked first. SES's list of {', '.join(lists)} has no entry in a known spelling"


@example("mc-s7wbigebcqsw", ["KIM@example.com", "kim@example.com"])
def several_spellings(list: str, spellings: list[str]) -> str:
    """`suppression explain`: SES keeps the letter case, so one mailbox can have several entries."""
    return f"SES's list of {list} has it {len(spellings)} times: {', '.join(spellings)}"


@example("mc-s7wbigebcqsw", "COMPLAINT", "hard bounce")
def other_reason(list: str, theirs: str, ours: str) -> str:
    """`suppression explain`: a disagreement about the cause."""
    return f"SES's list of {list} says {theirs}; ours says {ours}"


@example("mc-s7wbigebcqsw")
def ses_covers_more(list: str) -> str:
    """`suppression explain`: ours covers a class, and SES's entry for a bounce all mail of the tenant."""
    return f"SES's list of {list} says BOUNCE and drops all mail of the tenant to it; ours covers less"


@example("mc-s7wbigebcqsw", "Too many requests")
def could_not_read(list: str, why: str | None) -> str:
    """`suppression explain`: the last read of SES's entry failed."""
    return f"SES's list of {list} could not be read: {why}"


@example("28 Nov 2026 15:23 UTC")
def read_long_ago(at: str) -> str:
    """`suppression explain`: what SES says may have changed since."""
    return f"SES's lists were read on {at}, and may have changed since"


@example()
def never_read() -> str:
    """`suppression explain`: SES was never asked about this address."""
    return "SES's lists were not read for it"


@example("SES still has KIM@example.com on the list of mc-s7wbigebcqsw")
@example("")
def removal_under_way(why: str) -> str:
    """`suppression explain`: a person removed it, and it ends once SES's lists do not have it."""
    return "It is being removed, and ends when SES's lists do not have it" + (
        f". Not yet: {why}" if why else ""
    )


@example()
def of_the_platform() -> str:
    """`suppression explain`: the platform's own list has the address."""
    return "The platform's own list covers every tenant; whoever keeps it decides"


@example(
    cause="hard-bounce",
    tenant="acme",
    address="kim@example.com",
    scope="tenant",
    mail="",
    until="",
    soft_bounces=0,
)
@example(
    cause="complaint",
    tenant="acme",
    address="kim@example.com",
    scope="class",
    mail="marketing",
    until="",
    soft_bounces=0,
)
@example(
    cause="soft-bounces",
    tenant="acme",
    address="kim@example.com",
    scope="tenant",
    mail="",
    until="28 Dec 2026",
    soft_bounces=6,
)
@example(
    cause="ses-tenant-list",
    tenant="acme",
    address="kim@example.com",
    scope="tenant",
    mail="",
    until="",
    soft_bounces=0,
)
@example(
    cause="manual",
    tenant="acme",
    address="kim@example.com",
    scope="lane",
    mail="newsletter",
    until="",
    soft_bounces=0,
)
def what_to_do(
    *, cause: str, tenant: str, address: str, scope: str, mail: str, until: str, soft_bounces: int
) -> str:
    """`suppression explain`: what a person can do about a suppression."""
    option = {"class": f" --class {mail}", "lane": f" --type {mail}"}.get(scope, "")
    remove = (
        f"`mailcordon suppression remove {shlex.quote(address)} --tenant {tenant} --scope {scope}{option}`"
    )
    advice = {
        "hard-bounce": f"If the mailbox works again, ask its owner and then {remove}; else delete the address from the list",
        "complaint": f"The recipient marked such mail as spam: mail it again only on their request, then {remove}",
        "unsubscribe": "The recipient unsubscribed: mail it again only on their request, then "
        + (
            f"`mailcordon suppression resubscribe {shlex.quote(address)} --tenant {tenant} --type {mail} --evidence TEXT "
            "--consented-at TIME`"
            if scope == "lane"
            else remove
        ),
        "soft-bounces": f"{soft_bounces} soft bounces are recorded; mail is tried again by itself after {until}. "
        f"Sooner: {remove}",
        "ses-global-list": f"It bounced for other customers of SES; it ends by itself on {until}",
        "ses-tenant-list": f"SES drops its mail. If the entry is wrong, {remove}, which deletes SES's entry too",
        "ses-tenant-complaint": f"SES drops its marketing mail because of a complaint. If that is settled, {remove}",
        "ses-account-list": "SES's list of the account has it, and the tenant's scope is not TENANT: "
        "`mailcordon drift list` shows the difference",
        "ses-account-complaint": "SES's list of the account has it, and the tenant's scope is not TENANT: "
        "`mailcordon drift list` shows the difference",
        "forgotten": f"The recipient asked to be forgotten. Only with their consent: {remove}",
    }
    return advice.get(cause, f"To mail it again: {remove}")


@example(found=True, reason="BOUNCE")
@example(found=False, reason="")
@example(found=None, reason="")
def says(*, found: object, reason: str) -> str:
    """`suppression explain`: what a list of SES says of the address."""
    return "not read yet" if found is None else reason.lower() if found else "not on it"


@example(6291456)
def file_too_large(most: int) -> str:
    """`suppression import`: the file is too large."""
    return f"the file has more than {most // 1048576} MB; split it"


@example(100000)
def too_many_lines(most: int) -> str:
    """`suppression import`: the file has too many lines."""
    return f"the file has more than {most:,} lines; split it"


@example()
def file_empty() -> str:
    """`suppression import`: the file has no line with content."""
    return "the file is empty"


@example(7, "unexpected end of data")
def not_csv(line: int, why: str) -> str:
    """`suppression import`: the file is not CSV from this line on."""
    return f"line {line} is not CSV (RFC 4180): {why}"


@example("Name, Mail", ["ses", "plain"])
def unknown_header(header: str, forms: list[str]) -> str:
    """`suppression import`: the first line does not tell whose file it is."""
    return f"the header ({header}) is of none of the forms {', '.join(forms)}; for a list of addresses, name the column `address`"


@example("mailchimp")
def no_header(form: str) -> str:
    """`suppression import`: a form that needs a header has none."""
    return f"the first line is an address; a file of the form {form} has a header"


@example("BLOCK", ["BOUNCE", "COMPLAINT"])
def unknown_reason(reason: str, known: list[str]) -> str:
    """`suppression import`: a line is bad."""
    return f"{reason or 'nothing'} is none of {', '.join(known)}"


@example()
def not_a_suppression() -> str:
    """`suppression import`: a line of a Mailchimp file of contacts that are subscribed."""
    return "the file does not say that the contact unsubscribed or was cleaned"


@example("class")
def scope_without_its_mail(scope: str) -> str:
    """`suppression import`: a line is bad."""
    return f"the scope {scope} needs the column {'class' if scope == 'class' else 'type'}"


@example("yesterday")
def not_a_time(text: str) -> str:
    """`suppression import`: a line is bad."""
    return f"{text} is not a time in ISO 8601"


@example("newslettr", "acme")
def no_such_type(type: str, tenant: str) -> str:
    """`suppression import`: a line names a message type of which the tenant has no lane."""
    return f"{tenant} has no lane of the type {type}"


@example()
def left_out_soft() -> str:
    """`suppression import`: lines that suppress nothing."""
    return "blocks and soft bounces (status 4)"


@example()
def left_out_erased() -> str:
    """`suppression import`: lines that suppress nothing."""
    return "erased addresses"


@example()
def left_out_ended() -> str:
    """`suppression import`: lines that suppress nothing."""
    return "suppressions that have ended"


@example(3, skip=False)
def bad_lines(number: int, *, skip: bool) -> str:
    """`suppression import`: the file has lines that cannot be read, and nothing was imported."""
    lines = "1 line cannot" if number == 1 else f"{number} lines cannot"
    return f"{lines} be read, so nothing was imported. Correct the file, or ask to leave such lines out (`skip_bad`)"


@example(added=950, kept=48, doubled=2, bad=0, dry_run=False)
@example(added=950, kept=48, doubled=2, bad=3, dry_run=True)
def imported(*, added: int, kept: int, doubled: int, bad: int, dry_run: bool) -> str:
    """`suppression import`: what was done, or would be."""
    did = "Would import" if dry_run else "Imported"
    parts = [f"suppressed already: {kept}" if kept else "", f"repeated lines: {doubled}" if doubled else ""]
    parts.append(f"lines that cannot be read: {bad}" if bad else "")
    rest = "; ".join(filter(None, parts))
    return f"{did} {added}" + (f"; {rest}" if rest else "") + ("; nothing was changed" if dry_run else "")


@example(2)
def not_exported(number: int) -> str:
    """`suppression export --form ses`: addresses that cannot be in such a file."""
    return f"{number} left out: erased, or a spreadsheet would take the address for a formula"


@example("bounces.csv", "No such file or directory")
def file_unreadable(file: str, why: str) -> str:
    """`suppression import`: the file cannot be read."""
    return f"Cannot read {file}: {why}"


@example("acme.csv", "No such file or directory")
def file_unwritable(file: str, why: str) -> str:
    """`suppression export`: the file cannot be written."""
    return f"Cannot write {file}: {why}"


@example("acme")
def forgetting(tenant: str) -> str:
    """`suppression forget`: what happens now."""
    return (
        f"The address is erased from {tenant}'s suppressions, quarantine and audit trail; its mails and SES's lists follow "
        "within minutes. Its keyed hash stays, and no mail goes to it"
    )


@example("kim@example.com", "acme")
def forget_question(address: str, tenant: str | None) -> str:
    """`suppression forget`, before it acts."""
    of = f" of {tenant}" if tenant else ""
    return f"Erase {address} from what is stored{of}? This cannot be undone. No mail will go to it."


@example()
def forgotten_mail() -> str:
    """Stands for the details of a delivery whose recipient asked to be forgotten."""
    return "Erased: the recipient asked to be forgotten"
