"""What the command line prints."""

from collections.abc import Sequence

from mailcordon.messages import example, phrases, times

# Failures of any command ------------------------------------------------------------------------------------------------


@example(said="No such option: --tennant", command="mailcordon lane list")
def wrong_command_line(*, said: str, command: str) -> str:
    """An option, argument or value is not known, is missing or is not allowed. Exit code 2."""
    return f"{said.rstrip('.')}. See `{command} --help`."


@example(command="mailcordon tenant")
def missing_command(*, command: str) -> str:
    """Only the name of the program or of a group was typed. Its help stands above. Exit code 2."""
    return f"Give one of the commands of `{command}`."


@example(one="--type", other="--class")
def not_both(*, one: str, other: str) -> str:
    """Two options exclude each other. Exit code 2."""
    return f"{one} and {other} cannot be used together: leave one out."


@example(options="--rate N or --no-limit")
def one_of(*, options: str) -> str:
    """Exactly one of two options is needed. Exit code 2."""
    return f"Give exactly one of {options}."


@example(count=2)
def fields_refused(*, count: int) -> str:
    """The server refused several fields of the request. A line for each follows."""
    return f"{count} fields cannot be accepted:"


@example()
def cannot_ask() -> str:
    """A command has to ask before it changes something, and stdin is no terminal. Exit code 2."""
    return "Nothing was changed: there is no terminal to ask on. Add --yes to confirm."


@example()
def nothing_changed() -> str:
    """The person did not confirm."""
    return "Nothing was changed."


@example()
def interrupted() -> str:
    """Ctrl-C. Exit code 130."""
    return "Interrupted."


@example(name="KeyError", said="'items'", file="/home/ana/tmp/mailcordon-error-x1.log")
@example(name="KeyError", said="'items'", file="")
def unexpected(*, name: str, said: str, file: str) -> str:
    """An error that no part of the program expected: a bug."""
    kept = f" The details are in {file}: please report them." if file else ""
    return f"Internal error: {name}: {said}.{kept}"


# Finding the server and reading its responses ---------------------------------------------------------------------------


@example(file="/home/ana/.local/state/mailcordon/cli.json")
def no_server(*, file: str) -> str:
    """No option, setting or file names a server. Exit code 5."""
    return (
        f"No server is known: {file} does not exist. `mailcordon up` starts one on this machine and writes that file; "
        "--url and --key (or MAILCORDON_URL and MAILCORDON_KEY) name another."
    )


@example(url="localhost:8025")
def not_a_url(*, url: str) -> str:
    """The server's address is no URL. Exit code 2."""
    return (
        f"{url} is not the URL of a server: use http:// or https:// with a host, as in http://127.0.0.1:8025."
    )


@example()
def not_a_key() -> str:
    """The API key has a line break, a space or a letter that is not ASCII. Exit code 2."""
    return "The API key has characters that no key has. Check --key, MAILCORDON_KEY or cli.json."


@example(file="/home/ana/.local/state/mailcordon/cli.json")
def file_of_another_user(*, file: str) -> str:
    """cli.json cannot be read because another user owns it. Exit code 4."""
    return f"{file} belongs to another user. Run as that user, or give --url and --key."


@example(file="/home/ana/.local/state/mailcordon/cli.json", said="Expecting value: line 1 column 1 (char 0)")
def file_unreadable(*, file: str, said: str) -> str:
    """cli.json cannot be read. Exit code 2."""
    return f"{file} cannot be read ({said}). Remove it and run `mailcordon up` again."


@example(file="/home/ana/.local/state/mailcordon/cli.json")
def file_not_an_object(*, file: str) -> str:
    """cli.json is JSON, but no object. Exit code 2."""
    return f"{file} is not a JSON object. Remove it and run `mailcordon up` again."


@example()
def no_send_key() -> str:
    """`mailcordon env` knows a key of the command line, but none that can only send. Exit code 4."""
    return "cli.json has no key that can only send: an older version wrote it. Start `mailcordon up` again, or give --key."


@example(url="http://127.0.0.1:8025")
def no_key(*, url: str) -> str:
    """`mailcordon env` has a server but no key for it. Exit code 4."""
    return f"No API key is known for {url}. Give --key."


@example(url="http://127.0.0.1:8025", why="Connection refused")
def cannot_connect(*, url: str, why: str) -> str:
    """The server does not accept the connection, or does not respond. Exit code 5."""
    return (
        f"Cannot connect to {url} ({why}). Is it running? `mailcordon up` starts everything on this machine; "
        "--url or MAILCORDON_URL names another server."
    )


@example()
def timed_out() -> str:
    """In `cannot_connect`: the server did not respond in time."""
    return "no response in time"


@example()
def not_healthy() -> str:
    """In `cannot_connect`: the server responded, but its health check failed."""
    return "its health check fails"


@example(url="http://127.0.0.1:22", why="Expected HTTP/")
def not_an_http_server(*, url: str, why: str) -> str:
    """The URL is not usable, or what listens there is no HTTP server. Exit code 2."""
    return f"{url} does not respond as an HTTP server ({why}). Check --url or MAILCORDON_URL."


@example(url="http://127.0.0.1:8080", method="GET", path="/v1/tenants")
def not_mailcordon(*, url: str, method: str, path: str) -> str:
    """The server's response is no JSON object."""
    return f"{url} did not respond to {method} {path} with a JSON object. Is it a Mailcordon server?"


@example(status=500)
def unexplained_status(*, status: int) -> str:
    """The server responded with an error status and no explanation."""
    return f"The server responded with status {status} and no explanation."


@example(seconds="7")
def try_again_in(*, seconds: str) -> str:
    """After the server's sentence, if it said when to try again."""
    return f"Try again in {seconds} s."


@example()
def where_keys_come_from() -> str:
    """After the server's sentence, if it did not accept the key."""
    return "The key comes from --key, MAILCORDON_KEY or the cli.json that `mailcordon up` writes."


@example(command="sent", url="https://mail.example.com")
def needs_local_ses(*, command: str, url: str) -> str:
    """A command that reads or sets the local SES, on a system that has none."""
    return (
        f"`mailcordon {command}` needs the local SES, and {url} is not known to send through one. "
        "`mailcordon up` starts one; MAILCORDON_SES_ENDPOINT names another."
    )


@example()
def ses_api() -> str:
    """In `local_ses_silent`."""
    return "The SES API"


@example(name="mailcordon-outcome")
def queue(*, name: str) -> str:
    """In `local_ses_silent`."""
    return f"The queue {name}"


@example(what="The SES API", url="http://127.0.0.1:8005", why="Connection refused")
def local_ses_silent(*, what: str, url: str, why: str) -> str:
    """The drill asked the local SES or its queue and got no response. Exit code 5."""
    return f"{what} of the local SES at {url} does not respond: {why}."


# Values -----------------------------------------------------------------------------------------------------------------


@example(text="soon")
def not_a_duration(*, text: str) -> str:
    """An option that takes a duration has something else. Exit code 2."""
    return f"{text!r} is not a duration. Use a number with s, m, h or d, as in 90s, 15m, 1h30m or 7d"


@example(text="100ms", shortest="0.5s", longest="1d")
def duration_out_of_range(*, text: str, shortest: str, longest: str) -> str:
    """A duration is too short or too long. Exit code 2."""
    return f"{text} is not between {shortest} and {longest}"


@example(text="tomorrow")
def not_a_moment(*, text: str) -> str:
    """An option that takes a time has something else. Exit code 2."""
    return f"{text!r} is not a time. Use one as in 2027-01-01T00:00:00Z, or a duration from now as in 90d"


@example(text="newsletter")
def bad_type_option(*, text: str) -> str:
    """`tenant onboard --type` without a domain. Exit code 2."""
    return f"--type {text}: use TYPE=DOMAIN, as in --type password-reset=mail.acme.example."


@example(type="newsletter")
def type_given_twice(*, type: str) -> str:
    """`tenant onboard --type` names two domains for one type. Exit code 2."""
    return f"--type {type} is given twice: a lane has one domain."


@example(text="X-Link")
def bad_header_option(*, text: str) -> str:
    """`send --header` without a colon. Exit code 2."""
    return f"--header {text}: use NAME: VALUE."


@example(text="order 17")
def bad_tag_option(*, text: str) -> str:
    """`send --tag` without an equals sign. Exit code 2."""
    return f"--tag {text}: use KEY=VALUE."


@example(links=2, recipients=3)
def unsubscribe_for_each(*, links: int, recipients: int) -> str:
    """`send --unsubscribe` was repeated, but not once for each --to. Exit code 2."""
    return f"{links} links for {recipients} recipients: repeat --unsubscribe once for each --to, in the same order."


@example(word="marketing")
def class_given_as_type(*, word: str) -> str:
    """`--type` has the name of a class. Exit code 2."""
    return f"{word} is a class, not a message type: use --class {word}."


@example(text="everything")
def not_a_scope(*, text: str) -> str:
    """`--scope` has an unknown value. Exit code 2."""
    return f"--scope {text}: a scope is tenant, class or lane."


@example(scope="class", option="--class")
def scope_needs(*, scope: str, option: str) -> str:
    """`--scope class` or `--scope lane` without the name of the class or type. Exit code 2."""
    return f"--scope {scope} needs {option}."


@example()
def nothing_to_change() -> str:
    """`type change` without an option. Exit code 2."""
    return "Give what to change, for example --expiry 5m."


@example()
def platform_key_needs_scope() -> str:
    """`key create --platform` without a scope. Exit code 2."""
    return "A platform key needs --scope send, read, operate, admin or events; repeat it for more."


# Tables and screens -----------------------------------------------------------------------------------------------------


@example()
def nothing_to_show() -> str:
    """A list is empty."""
    return "(none)"


@example(why="ungoverned", documents=12, of=3_400)
def quarantine_not_kept(*, why: str, documents: int, of: int) -> str:
    """`quarantine list`: a kind had no room for all its documents."""
    return (
        f"{why}: of {of} documents that arrived, {documents} were only counted: there was no room for them."
    )


@example()
def more_results() -> str:
    """A list is longer than --limit."""
    return "(there is more: raise --limit)"


@example(names="oldest, rate")
def columns_hidden(*, names: str) -> str:
    """Below a table that dropped columns to fit the terminal."""
    return f"(not shown: {names}; -o wide shows all columns)"


@example(command="mailcordon lane list", every="2 s", at="2026-11-28 15:23:01Z")
def watching(*, command: str, every: str, at: str) -> str:
    """The first line of the screen with --watch."""
    return f"{command}, every {every}, last at {at} (Ctrl-C to stop)"


@example(count=12)
def lines_below(*, count: int) -> str:
    """The last line of the screen with --watch, if the result is longer than the terminal."""
    return f"({count} more lines below)"


@example()
def no_limit() -> str:
    """The rate of a lane without a limit."""
    return "no limit"


@example(rate=50.0)
def per_second(*, rate: float) -> str:
    """The rate of a lane, in deliveries."""
    return f"{rate:g}/s"


@example()
def hold_open() -> str:
    """The state of a hold that is in force."""
    return "open"


@example()
def hold_lifted() -> str:
    """The state of a hold that has ended."""
    return "lifted"


@example()
def stop_open() -> str:
    """The state of a stop that is in force."""
    return "open"


@example()
def stop_ended() -> str:
    """The state of a stop that has ended."""
    return "ended"


@example(
    because="SES has paused this tenant",
    said="Sending disabled for arn:aws:ses:us-east-1:123456789012:tenant/mc-acme.",
    ended="",
)
@example(because="SES has paused this tenant", said="", ended="SES lets this tenant send again")
def stop_because(*, because: str, said: str, ended: str) -> str:
    """What a stop is for, with SES's own words and how it ended."""
    words = f' (SES: "{said}")' if said else ""
    return f"{because}{words}" + (f". Ended: {ended}" if ended else "")


@example(
    detail="Stopped since 28 Nov 2026 15:23 UTC: The account's 24-hour quota is used up, for every lane. [stop 1]",
    until="2026-11-28 15:40:02Z",
)
def kept_until(*, detail: str, until: str) -> str:
    """`metrics`: a hold or stop that has ended. `detail` is its sentence."""
    return f"{detail}, until {until}"


@example()
def stops_mail() -> str:
    """The effect of a hold that stops mail."""
    return "stops"


@example(rate=5.0)
def slows_mail(*, rate: float) -> str:
    """The effect of a hold that slows mail, in deliveries per second."""
    return f"slows to {rate:g}/s"


@example()
def all_tenants() -> str:
    """Whose mail a mailbox setting is about, if it names no tenant."""
    return "all tenants"


@example()
def platform_in_a_table() -> str:
    """The owner of a platform key."""
    return "(platform)"


@example(value="15 min")
@example(value="")
def class_default(*, value: str) -> str:
    """The expiry of a message type that does not override its class's."""
    return f"{value} (class default)".strip()


@example()
def being_removed() -> str:
    """In place of who added a suppression, while it is being removed."""
    return "being removed"


# Tenants, lanes and identities ------------------------------------------------------------------------------------------


@example(tenant="acme")
def tenant_key(*, tenant: str) -> str:
    """`tenant onboard` made a key. The key follows."""
    return f"The key of {tenant}. It is shown only this once; its hash is stored:"


@example(tenant="acme", prefix="4k2p9x7m")
def tenant_has_key(*, tenant: str, prefix: str) -> str:
    """`tenant onboard` for a tenant that has a key."""
    return f"{tenant} already has a key: {prefix}... `mailcordon key create {tenant}` replaces a lost one."


@example(tenant="acme", key="mc-5i3y7tvqrtv8")
def tenant_at_ses(*, tenant: str, key: str) -> str:
    """The name of the SES tenant of a tenant."""
    return f"{tenant} is SES tenant {key}."


@example(domain="mail.acme.example", status="pending")
def domain_records(*, domain: str, status: str) -> str:
    """Above the DNS records of a domain."""
    return f"{domain} is {status}. Its DNS records:"


@example()
def records_heading() -> str:
    """Above the DNS records of `identity show`."""
    return "DNS records to publish:"


@example()
def lanes_share() -> str:
    """Above the list of what the lanes of a tenant share."""
    return "The lanes share:"


@example()
def lanes_share_nothing() -> str:
    """In place of the list of what the lanes of a tenant share."""
    return "The lanes share nothing with each other."


@example()
def stops_heading() -> str:
    """Above what stops lanes, apart from holds."""
    return "Stopped:"


@example()
def holds_heading() -> str:
    """Above the holds of a lane."""
    return "Holds:"


@example()
def shares_heading() -> str:
    """Above the list of what a lane shares."""
    return "Shared with other lanes:"


@example()
def ses_is_set_up() -> str:
    """`tenant show`: every step of the set-up is done."""
    return "SES is set up."


@example()
def ses_is_cleared() -> str:
    """`tenant show`: the tenant is retired, and what it has at SES goes once no mail needs it."""
    return "What it has at SES goes once no mail needs it:"


@example()
def ses_is_being_set_up() -> str:
    """`tenant show`: above the steps of the set-up."""
    return "SES is being set up:"


@example(findings=2, tenant="acme")
@example(findings=1, tenant="acme")
def ses_differs(*, findings: int, tenant: str) -> str:
    """`tenant show`: above what SES has that differs from what is desired."""
    what = "One thing differs" if findings == 1 else f"{findings} things differ"
    return f"{what} at SES from what is desired for {tenant}:"


@example(finding="12", says="zen can send as mail.acme.example, which belongs to acme.")
@example(finding="", says="SES differs from what is desired.")
def ses_difference(*, finding: str, says: str) -> str:
    """`tenant show`: one thing that differs at SES. A tenant's own key sees no numbers."""
    return f"{says} (`mailcordon drift show {finding}`)" if finding else says


@example(tenant="acme", step="DKIM of mail.acme.example is pending")
@example(tenant="acme", step="")
def not_set_up_yet(*, tenant: str, step: str) -> str:
    """`tenant onboard`: the set-up is not done after --wait. Exit code 5."""
    at = f": {step}" if step else ""
    return (
        f"SES is not set up for {tenant} yet{at}. The set-up continues in the background; "
        f"`mailcordon tenant show {tenant}` shows its progress."
    )


# Mail -------------------------------------------------------------------------------------------------------------------


@example(id="msg_0r4tq2v6k7m8n")
def accepted(*, id: str) -> str:
    """`send`: the mail is stored."""
    return f"Accepted as {id}. `mailcordon why {id}` shows what happens to it."


@example(id="010001a2236b6f25-8bd69d26-000000", provider="gmail", attempts="1")
def at_ses(*, id: str, provider: str, attempts: str) -> str:
    """`why`: the delivery was accepted by SES."""
    return f"{id} (mailbox provider {provider}, attempts: {attempts})"


@example(message="msg_0r4tq2v6k7m8n", deliveries="2 deliveries", left=0)
@example(message="msg_0r4tq2v6k7m8n", deliveries="1 delivery", left=1)
def message_cancelled(*, message: str, deliveries: str, left: int) -> str:
    """`message cancel` is done."""
    rest = f" Not cancelled, because already sent or being sent: {left}." if left else ""
    return f"Cancelled {deliveries} of {message}.{rest}"


@example(tenant="acme", address="kim@example.com")
def may_mail(*, tenant: str, address: str) -> str:
    """`why` for an address without suppressions."""
    return f"{tenant} may mail {address}: no suppression is recorded."


# Holds ------------------------------------------------------------------------------------------------------------------


@example(mail="password-reset; every other tenant.")
def left_alone(*, mail: str) -> str:
    """The last line of the preview of `cordon`, `uncordon` and `cancel`."""
    return f"Not affected: {mail}"


@example()
def dry_run() -> str:
    """After the preview, with --dry-run."""
    return "Nothing was changed, because of --dry-run."


@example(mail="marketing mail of acme")
def cordon_question(*, mail: str) -> str:
    """`cordon` asks."""
    return f"Cordon {mail}?"


@example(mail="marketing mail of acme")
def uncordon_question(*, mail: str) -> str:
    """`uncordon` asks."""
    return f"Uncordon {mail}?"


def _numbered_holds(ids: list[int]) -> str:
    """`hold 17`, `holds 17 and 18`, `holds 17, 18 and 21`."""
    *before, last = map(str, ids)
    return f"holds {', '.join(before)} and {last}" if before else f"hold {last}"


@example(ids=[17])
@example(ids=[17, 18])
def lift_question(*, ids: list[int]) -> str:
    """`uncordon --hold` asks."""
    return f"Lift {_numbered_holds(ids)}?"


@example(mail="all mail of acme, campaign spring-sale")
def cancel_question(*, mail: str) -> str:
    """`cancel` asks."""
    return f"Cancel {mail}? What is queued is dropped for good."


@example(
    mail="marketing mail of acme",
    hold="17",
    undo='mailcordon uncordon acme --class marketing --because "..."',
)
def cordoned(*, mail: str, hold: str, undo: str) -> str:
    """`cordon` is done."""
    return f"Cordoned: {mail} [hold {hold}]. To lift it: `{undo}`."


@example(holds="1 hold", deliveries="1,200 deliveries")
def lifted(*, holds: str, deliveries: str) -> str:
    """`uncordon` is done. The lifted holds follow."""
    return f"Lifted {holds}, {deliveries} released:"


@example(stops="1 stop", deliveries="1,200 deliveries")
def ended(*, stops: str, deliveries: str) -> str:
    """`uncordon --owner ses` is done. The ended stops follow."""
    return f"Ended {stops}, {deliveries} released. If SES still refuses, they come back:"


@example(mail="all mail of acme", tenant="acme")
def nothing_ended(*, mail: str, tenant: str) -> str:
    """`uncordon --owner ses` found no stop that covers this mail. Exit code 3."""
    return f"No stop was ended: none covers {mail}. `mailcordon stops list --tenant {tenant}` shows earlier ones."


@example()
def still_held() -> str:
    """`uncordon`: above the holds that still stop some of the mail."""
    return "Still held by:"


@example(mail="all mail of acme, campaign spring", tenant="acme")
def nothing_lifted(*, mail: str, tenant: str) -> str:
    """`uncordon` found no hold that a person placed on exactly this mail. Exit code 3."""
    return (
        f"No hold was lifted: no person's open hold is on exactly {mail}. "
        f"`mailcordon holds list --tenant {tenant} --open` shows the open holds; `--hold ID` lifts one of them."
    )


@example(tenant="acme", ids=[17])
@example(tenant="acme", ids=[17, 18])
def no_open_hold(*, tenant: str, ids: list[int]) -> str:
    """`uncordon --hold` names a hold that does not exist or is lifted. Exit code 3."""
    return (
        f"{tenant} has no open {_numbered_holds(ids)}. "
        f"`mailcordon holds list --tenant {tenant} --open` shows those it has."
    )


@example(deliveries="1,200 deliveries")
def cancelled(*, deliveries: str) -> str:
    """`cancel` is done."""
    return f"Cancelled {deliveries}."


# Suppressions and mailboxes ---------------------------------------------------------------------------------------------


@example(address="kim@example.com", scope="tenant")
def suppressed(*, address: str, scope: str) -> str:
    """`suppression add` is done."""
    return f"Suppressed: {address} (scope {scope})."


@example(address="kim@example.com")
def remove_suppression_question(*, address: str) -> str:
    """`suppression remove` asks."""
    return f"Allow mail to {address} again?"


@example(address="kim@example.com")
def suppression_being_removed(*, address: str) -> str:
    """`suppression remove` is accepted. It takes effect when SES's entry is gone."""
    return f"The suppression of {address} is being removed, first at SES."


@example(address="kim@example.com", outcome="delivers", tenant="")
@example(address="kim@example.com", outcome="bounces", tenant="acme")
@example(address="kim@example.com", outcome="complains", tenant="acme")
@example(address="*@example.com", outcome="defers", tenant="")
def mailbox_set(*, address: str, outcome: str, tenant: str) -> str:
    """`mailbox set` is done."""
    whose = f"mail of {tenant}" if tenant else "mail"
    return f"From now on, {whose} to {address} {phrases.mailbox_does(outcome)}."


# Keys -------------------------------------------------------------------------------------------------------------------


@example(owner="acme", scopes="send, read")
def key_made(*, owner: str, scopes: str) -> str:
    """`key create` is done. The key follows."""
    return f"A key of {owner} that may {scopes}. It is shown only this once; its hash is stored:"


@example(prefix="4k2p9x7m")
def access_key_made(*, prefix: str) -> str:
    """`ses-door key` and `key create --ses` are done. What an AWS SDK needs follows."""
    return (
        f"An access key of the SES door for the key {prefix}. The secret is shown only this once. "
        "Give the app these, and the address of this API as its endpoint URL:"
    )


@example(name="receipts", type="receipt")
def set_mapped(*, name: str, type: str) -> str:
    """`ses-door map` is done."""
    return f"The configuration set name {name} now stands for {type} at the SES door."


@example(name="receipts")
def set_unmapped(*, name: str) -> str:
    """`ses-door unmap` is done."""
    return f"The configuration set name {name} stands for nothing at the SES door any more."


@example()
def the_platform() -> str:
    """The owner of a platform key, in `key_made`."""
    return "the platform"


@example()
def every_type_in_a_table() -> str:
    """The message types of a key that is for all of them."""
    return "all"


@example()
def no_change_of_a_key() -> str:
    """`key change` without an option. Exit code 2."""
    return "Give what to change, for example --scope read or --messages-per-second 20."


@example(prefix="k7pq2m9d")
def key_changed(*, prefix: str) -> str:
    """`key change` is done."""
    return f"The key {prefix} is changed. Its next request is judged by what it may do now."


@example(old="k7pq2m9d", new="w4r8t2xz", ends="2026-11-29 01:30:00")
def key_rotated(*, old: str, new: str, ends: str) -> str:
    """`key rotate` is done. The new key follows."""
    return f"{new} replaces {old}, which ends at {ends}. The new key is shown only this once; its hash is stored:"


@example(file="/srv/mailcordon/cli.json")
def own_key_replaced(*, file: str) -> str:
    """`key rotate` replaced the key that the command line itself uses."""
    return f"It was the command line's own key: {file} has the new one."


@example(prefix="4k2p9x7m")
def how_to_revoke(*, prefix: str) -> str:
    """After a new key."""
    return f"To revoke it: `mailcordon key revoke {prefix}`."


@example(prefix="4k2p9x7m")
def revoke_question(*, prefix: str) -> str:
    """`key revoke` asks."""
    return f"Revoke the key {prefix}? Its requests are refused from then on."


@example(prefix="4k2p9x7m")
def revoked(*, prefix: str) -> str:
    """`key revoke` is done."""
    return f"Revoked {prefix}."


# status -----------------------------------------------------------------------------------------------------------------


@example(problems=0, checked=["roles", "waiting mail", "stops"])
@example(problems=1, checked=["roles", "waiting mail", "stops"])
@example(problems=3, checked=["roles", "waiting mail", "stops"])
def status_verdict(*, problems: int, checked: list[str]) -> str:
    """The first line of `status`."""
    if problems:
        return f"{problems} problem{'' if problems == 1 else 's'}:"
    return f"All is well. Checked: {', '.join(checked)}."


@example(signal="bounces", rate=0.0123, review_at=0.05, pause_at=0.1, events=123, mails=10_000)
@example(signal="complaints", rate=None, review_at=0.001, pause_at=0.005, events=0, mails=40)
def account_review(
    *, signal: str, rate: float | None, review_at: float, pause_at: float, events: int, mails: int
) -> str:
    """`account`: a rate of the whole account in 24 hours, and where AWS acts on it."""
    so_far = f"{events:,} of {mails:,} mails in 24 h"
    shown = f"too few mails for a rate ({so_far})" if rate is None else f"{100 * rate:.2f} % ({so_far})"
    lines = f"AWS reviews an account at {100 * review_at:g} % and may pause it at {100 * pause_at:g} %"
    return f"Account's {signal}: {shown}; {lines}."


@example(scan="each resource at SES is read again within 11 h, and what all tenants share within 60 s")
def status_scan(*, scan: str) -> str:
    """`status`: below the processes."""
    return f"Drift: {scan}."


@example()
def unlimited() -> str:
    """`account`: SES grants any number of mails in 24 hours."""
    return "unlimited"


@example(enabled=True)
@example(enabled=False)
def sending(*, enabled: bool) -> str:
    """`account`: whether the account may send."""
    return "enabled" if enabled else "paused"


@example()
def calls_unknown() -> str:
    """`account`: nobody says what the calls are used for."""
    return (
        "No control process reports, so nothing is changed or checked at SES. Start it: mailcordon run control. An"
        " installation that observes only asks SES for nothing."
    )


@example(per_second=1.0, now=1.0, slowed_at=None)
@example(per_second=1.0, now=0.5, slowed_at="2026-11-28 14:02:11Z")
@example(per_second=None, now=None, slowed_at=None)
def calls_rate(*, per_second: float | None, now: float | None, slowed_at: str | None) -> str:
    """`account`: above the table of kinds of work that share the management calls."""
    said = (
        "Management calls are not limited"
        if per_second is None
        else f"Management calls a second: {per_second:g}"
    )
    if now is not None and now != per_second:
        said += f"; now {now:.2g}, because SES refused calls for their rate"
    if slowed_at:
        said += f" (last at {slowed_at})"
    return f"{said}."


@example(calls=9, seconds=30)
@example(calls=9, seconds=0)
def newcomer(*, calls: int, seconds: int) -> str:
    """`account`: how long onboarding takes now."""
    ready = f"in about {times.span(seconds)}" if seconds else "at once"
    return f"A tenant that is onboarded now has what it needs at SES {ready}, after {calls} calls."


@example(resources=40_012, period=39_600, longest=259_200, shared=60)
@example(resources=12, period=45, longest=45, shared=15)
def scan(*, resources: int, period: int, longest: int, shared: int) -> str:
    """`account`: how often SES is read again."""
    said = f"Each of {resources:,} resources at SES is read again within {times.span(period)}"
    if longest > period:
        said += f", within {times.span(longest)} while other work uses its whole share of the calls"
    return f"{said}; what all tenants share within {times.span(shared)}."


@example()
def status_notices() -> str:
    """Above what `status` shows beside the problems, such as holds."""
    return "Notices:"


@example(when="2026-11-28 15:23:01Z")
def since(*, when: str) -> str:
    """When a problem began."""
    return f"since {when}"


@example()
def process_silent() -> str:
    """A process that has not reported for ten seconds."""
    return "silent"


@example()
def process_runs() -> str:
    """A process that reports."""
    return "running"


@example(seconds=3)
@example(seconds=7260)
def seconds(*, seconds: int) -> str:
    """A time span in a table of `status`."""
    return f"{seconds} s" if seconds < 600 else f"{seconds // 60} min"


@example(seconds=3)
def seconds_ago(*, seconds: int) -> str:
    """When a process last reported."""
    return f"{seconds} s ago" if seconds < 600 else f"{seconds // 60} min ago"


# Options and files ------------------------------------------------------------------------------------------------------


@example(option="--prune", other="--file")
def needs_option(*, option: str, other: str) -> str:
    """An option means nothing without another one. Exit code 2."""
    return f"{option} needs {other}."


@example(file="/srv/acme.jsonl", why="Permission denied")
def cannot_write(*, file: str, why: str) -> str:
    """A file that a command should write cannot be written."""
    return f"{file} cannot be written: {why}"


@example(given="7a")
def page_needs_number(*, given: str) -> str:
    """The page that `mailcordon open` is asked for has a number."""
    return f"This page is named by a number, not {given}."


@example(given="lanes", pages=["now", "tenant", "lane"])
def no_such_page(*, given: str, pages: list[str]) -> str:
    """`mailcordon open` is asked for a page that is not there."""
    return f"There is no page {given}. Choose one of {', '.join(pages)}."


@example(page="lane", form="TENANT TYPE")
@example(page="ses", form="")
def page_needs(*, page: str, form: str) -> str:
    """`mailcordon open` is asked for a page with too many names, or too few."""
    return f"Write it as `mailcordon open {f'{page} {form}'.strip()}`."


@example(url="https://mail.example.com")
def no_dashboard(*, url: str) -> str:
    """`mailcordon open` does not know where the dashboard is."""
    return f"It is not known where the dashboard of {url} is. Set MAILCORDON_DASHBOARD_URL to its address."


@example()
def no_browser() -> str:
    """`mailcordon open --browser` finds no browser."""
    return "There is no browser here that could be opened."


@example(first="Held by Ana since 15:23 UTC: complaints rise", more=2)
def and_more(*, first: str, more: int) -> str:
    """The first of several reasons, where there is no room for all."""
    return f"{first} (and {more} more)"


@example(plan=17)
def applying_plan(*, plan: int) -> str:
    """Beside the bar while a plan is applied."""
    return f"plan {plan}"


@example(tenant="acme")
def setting_up(*, tenant: str) -> str:
    """Beside the bar while a tenant is set up at SES."""
    return f"setting up {tenant}"


@example()
def proving() -> str:
    """Beside the bar while lanes are proved."""
    return "proving"


@example(file="events.jsonl")
def reading_file(*, file: str) -> str:
    """Beside the bar while a file is handed in."""
    return file


@example()
def playing_again() -> str:
    """Beside the bar while recorded mail is played again."""
    return "playing recorded mail again"


@example("brekaer", kinds=["breaker", "rates"])
def no_runbook(kind: str, *, kinds: Sequence[str]) -> str:
    """There is no such kind of incident."""
    return f'There is no kind of incident "{kind}". There are: {", ".join(kinds)}.'
