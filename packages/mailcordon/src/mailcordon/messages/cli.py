"""What the command line prints."""

from mailcordon.messages import example, times

# Failures of any command -------------------------------------------------------------------------------------------------


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


# Finding the server and reading its responses ----------------------------------------------------------------------------


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


# Values ------------------------------------------------------------------------------------------------------------------


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


@example(text="msg-1")
def not_an_id(*, text: str) -> str:
    """`mailcordon why` has something that is no id and no address. Exit code 2."""
    return f"{text} is not a message id (msg_...), a delivery id (dlv_...) or an address."


@example()
def nothing_to_change() -> str:
    """`type change` without an option. Exit code 2."""
    return "Give what to change, for example --expiry 5m."


@example()
def platform_key_needs_scope() -> str:
    """`key create --platform` without a scope. Exit code 2."""
    return "A platform key needs --scope send, read, operate or admin; repeat it for more."


# Tables and screens ------------------------------------------------------------------------------------------------------


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


# Tenants, lanes and identities -------------------------------------------------------------------------------------------


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


@example(tenant="acme", step="DKIM of mail.acme.example is pending")
@example(tenant="acme", step="")
def not_set_up_yet(*, tenant: str, step: str) -> str:
    """`tenant onboard`: the set-up is not done after --wait. Exit code 5."""
    at = f": {step}" if step else ""
    return (
        f"SES is not set up for {tenant} yet{at}. The set-up continues in the background; "
        f"`mailcordon tenant show {tenant}` shows its progress."
    )


# Mail --------------------------------------------------------------------------------------------------------------------


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


# Holds -------------------------------------------------------------------------------------------------------------------


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


# Suppressions and mailboxes ----------------------------------------------------------------------------------------------


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


_OUTCOMES = {
    "delivers": "is delivered",
    "bounces": "bounces",
    "complains": "is delivered, and the recipient complains",
    "defers": "is deferred",
}


def _what_happens(outcome: str) -> str:
    return _OUTCOMES.get(outcome, outcome)


@example(address="kim@example.com", outcome="delivers", tenant="")
@example(address="kim@example.com", outcome="bounces", tenant="acme")
@example(address="kim@example.com", outcome="complains", tenant="acme")
@example(address="*@example.com", outcome="defers", tenant="")
def mailbox_set(*, address: str, outcome: str, tenant: str) -> str:
    """`mailbox set` is done."""
    whose = f"mail of {tenant}" if tenant else "mail"
    return f"From now on, {whose} to {address} {_what_happens(outcome)}."


# Keys --------------------------------------------------------------------------------------------------------------------


@example(owner="acme", scopes="send, read")
def key_made(*, owner: str, scopes: str) -> str:
    """`key create` is done. The key follows."""
    return f"A key of {owner} that may {scopes}. It is shown only this once; its hash is stored:"


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


# The drill: its start and its end ----------------------------------------------------------------------------------------


@example()
def drill_starts_system() -> str:
    """No system runs in this home, or --temporary was given."""
    return "Starting a temporary system for the drill."


@example(url="http://127.0.0.1:8025", ses_url="http://127.0.0.1:8005")
def drill_runs_on(*, url: str, ses_url: str) -> str:
    """The first line of the drill."""
    return f"Mailcordon at {url}, local SES at {ses_url}"


@example(why="https://mail.example.com is not known to send through a local SES")
def drill_needs_local_ses(*, why: str) -> str:
    """The drill refuses a system."""
    return (
        f"The drill runs on the local SES only, and {why}. Nothing was sent or changed. "
        "`mailcordon drill --temporary` starts a temporary system with a local SES."
    )


@example(url="https://mail.example.com")
def ses_not_known_to_be_local(*, url: str) -> str:
    """In `drill_needs_local_ses`."""
    return f"{url} is not known to send through a local SES"


@example(url="http://10.0.0.8:8005")
def ses_on_another_machine(*, url: str) -> str:
    """In `drill_needs_local_ses`."""
    return f"{url} is not on this machine"


@example(value="aws")
def ses_setting_is(*, value: str) -> str:
    """In `drill_needs_local_ses`."""
    return f"MAILCORDON_SES is {value}"


@example(waited="", last_lines="the port 8025 is taken")
@example(waited="1 min", last_lines="starting Mailcordon in /home/ana/tmp/mailcordon-drill-x1")
def temporary_system_did_not_start(*, waited: str, last_lines: str) -> str:
    """The drill's temporary system ended, or did not become healthy. Exit code 5."""
    how = f"it was not healthy after {waited}" if waited else "it ended"
    return f"The drill's temporary system did not start: {how}. The last lines of its log: {last_lines}"


@example(file="/home/ana/tmp/mailcordon-drill-x1/up.log")
def log_is_kept(*, file: str) -> str:
    """The drill's temporary system did not start."""
    return f"The log is in {file}."


@example(steps=11, seconds="1.5", total="4.3", started=True)
@example(steps=11, seconds="1.5", total="1.6", started=False)
def drill_passed(*, steps: int, seconds: str, total: str, started: bool) -> str:
    """The last line of a drill in which every step passed."""
    whole = f"{total} s with the start of the temporary system" if started else f"{total} s in total"
    return f"All {steps} steps passed in {seconds} s ({whole})."


@example(seconds="12.0", logs="/home/ana/tmp/mailcordon-drill-x1")
@example(seconds="12.0", logs="")
def drill_failed(*, seconds: str, logs: str) -> str:
    """The last line of a drill in which a step failed. Exit code 6."""
    kept = f" The logs of the temporary system are in {logs}." if logs else ""
    return f"The drill FAILED after {seconds} s: see the last step above.{kept}"


@example()
def drill_reason() -> str:
    """The reason of the drill's cordon, in its hold and in the audit trail."""
    return "mailcordon drill"


# The drill: its steps ----------------------------------------------------------------------------------------------------


@example()
def step_onboard() -> str:
    """Title of step 1."""
    return "Two new tenants are onboarded"


@example()
def step_both_send() -> str:
    """Title of step 2."""
    return "Both send, each as its own SES tenant"


@example()
def step_bounce() -> str:
    """Title of step 3."""
    return "Mail of one tenant to kim bounces: that tenant may not mail kim"


@example()
def step_refused() -> str:
    """Title of step 4."""
    return "Its next mail to kim is refused, with the reason"


@example()
def step_other_tenant() -> str:
    """Title of step 5."""
    return "The other tenant's mail to kim is delivered"


@example()
def step_complaint() -> str:
    """Title of step 6."""
    return "lee complains about a newsletter: the next newsletter is refused"


@example()
def step_reset_arrives() -> str:
    """Title of step 7."""
    return "A password reset to lee is still delivered"


@example()
def step_cordon() -> str:
    """Title of step 8."""
    return "Marketing is cordoned: newsletters are held, other mail is delivered"


@example()
def step_uncordon() -> str:
    """Title of step 9."""
    return "The cordon is lifted: the held newsletter is delivered"


@example()
def step_metrics() -> str:
    """Title of step 10."""
    return "The metrics name the tenant and the lanes"


@example()
def step_ledger() -> str:
    """Title of step 11."""
    return "SES accepted exactly the mails that were sent"


@example(one="acme-4eedd6", other="zen-4eedd6")
def two_tenants(*, one: str, other: str) -> str:
    """Step 1 passed."""
    return f"{one} and {other}"


@example(one="mc-s7wbigebcqsw", other="mc-gqn858s6wbaa")
def seen_in_ledger_as(*, one: str, other: str) -> str:
    """Step 2 passed."""
    return f"In SES's ledger as {one} and {other}"


@example()
def seen_in_ledger() -> str:
    """Steps 5 and 9 passed."""
    return "In SES's ledger"


@example()
def seen_in_ledger_despite_complaint() -> str:
    """Step 7 passed."""
    return "In SES's ledger, although SES's suppression list of this tenant has lee (complaint)"


@example(tenant="acme-4eedd6")
def metrics_right(*, tenant: str) -> str:
    """Step 10 passed."""
    return f"1 bounce and 1 complaint, both of {tenant}"


@example(accepted=9, refused=2)
def ledger_right(*, accepted: int, refused: int) -> str:
    """Step 11 passed."""
    return f"{accepted} accepted by SES, {refused} refused before SES"


@example(type="newsletter", tenant="acme-4eedd6", to="lee@people-4eedd6.example")
def drill_mail(*, type: str, tenant: str, to: str) -> str:
    """How the drill names a mail in the sentences below."""
    return f"the {type} of {tenant} to {to}"


# The drill: what failed --------------------------------------------------------------------------------------------------

_MAIL = "the password-reset of acme-4eedd6 to kim@people-4eedd6.example"


@example(tenant="acme-4eedd6", url="http://127.0.0.1:8005")
def set_up_at_another_ses(*, tenant: str, url: str) -> str:
    """The system set the tenant up at an SES that is not the local one. The drill ends before it sends anything."""
    return (
        f"{tenant} is set up, but not at {url}: this system does not send through the local SES. "
        "The drill stops before it sends anything."
    )


@example(tenant="acme-4eedd6", waited="20 s", step="identity mail.acme-4eedd6.example waiting for DNS")
@example(tenant="acme-4eedd6", waited="20 s", step="")
def set_up_takes_too_long(*, tenant: str, waited: str, step: str) -> str:
    """SES is not set up for a tenant of the drill in time."""
    at = f" The first open step: {step}." if step else ""
    return f"SES was not set up for {tenant} within {waited}.{at} Is the control role running?"


@example(
    mail=_MAIL,
    waited="10 s",
    id="msg_0r4tq2v6k7m8n",
    state="queued",
    reason="-",
    last="accepted",
    role="dispatch",
)
@example(
    mail=_MAIL,
    waited="10 s",
    id="msg_0r4tq2v6k7m8n",
    state="waiting",
    reason="SES is throttling",
    last="called",
    role="",
)
def mail_not_sent(*, mail: str, waited: str, id: str, state: str, reason: str, last: str, role: str) -> str:
    """A mail of the drill is not in SES's ledger."""
    hint = f" Is the {role} role running?" if role else ""
    return (
        f"SES did not receive {mail} within {waited}: it is not in SES's ledger. "
        f"Our record {id} is {state} (reason: {reason}; last step: {last}).{hint}"
    )


@example(
    mail=_MAIL,
    recipients="kim@people-4eedd6.example, robin@people-4eedd6.example",
    configuration_set="-",
    tags=0,
)
def mail_not_governed(*, mail: str, recipients: str, configuration_set: str, tags: int) -> str:
    """A mail of the drill reached SES without what every governed mail has."""
    return (
        f"SES received {mail}, but not with one recipient, a configuration set and tags: "
        f"recipients {recipients}; configuration set {configuration_set}; {tags} tags."
    )


@example(mail=_MAIL, fate="bounces")
def mail_not_delivered_by_ses(*, mail: str, fate: str) -> str:
    """A mail of the drill reached SES, but not its mailbox."""
    return f"SES accepted {mail} but did not deliver it: it {_what_happens(fate)}."


@example(
    event="Bounce",
    address="kim@people-4eedd6.example",
    waited="10 s",
    mail=_MAIL,
    ses_id="010001a2236b6f25-8bd69d26-000000",
    fate="bounces",
    state="sent",
)
def no_event(*, event: str, address: str, waited: str, mail: str, ses_id: str, fate: str, state: str) -> str:
    """An event of SES did not change our record. One of the four sentences below follows."""
    return (
        f"No {event} event for {address} was processed within {waited}. SES accepted {mail} (ledger id {ses_id}), "
        f"and there it {_what_happens(fate)}; our record says {state}."
    )


@example(count=3, queue="mailcordon-outcome")
def events_unread(*, count: int, queue: str) -> str:
    """After `no_event`: events are in the queue."""
    return f"{count} events are unread in the queue {queue}: is the observe role running?"


@example(
    found="unknown-delivery: The signature is valid, but there is no dlv_0r4tq2v6k7m8n, attempt 2. "
    "Was the database restored from a backup?"
)
def events_in_quarantine(*, found: str) -> str:
    """After `no_event`: events of the drill are in quarantine."""
    end = "" if found.endswith((".", "?")) else "."
    return f"In quarantine since the drill began: {found}{end}"


@example(queue="mailcordon-outcome", faults="drop_events of Bounce, 2 times")
@example(queue="mailcordon-outcome", faults="")
def event_lost(*, queue: str, faults: str) -> str:
    """After `no_event`: the event is nowhere."""
    active = f" Active faults at the local SES: {faults}." if faults else ""
    return (
        f"The event is not in the queue {queue}, in quarantine or in our records: "
        f"it was lost between SES and the queue.{active}"
    )


@example(name="drop_events", events="Bounce", times="2 times")
def fault(*, name: str, events: str, times: str) -> str:
    """A fault in `event_lost`."""
    return f"{name} of {events}, {times}"


@example()
def all_events() -> str:
    """A fault that names no event, in `fault`."""
    return "all events"


@example(address="kim@people-4eedd6.example", waited="10 s", scope="tenant", found="")
def no_suppression(*, address: str, waited: str, scope: str, found: str) -> str:
    """An event arrived, but did not lead to the suppression that it should."""
    return (
        f"The event about {address} was processed, but no suppression of scope {scope} followed within {waited}. "
        f"Recorded: {found or 'nothing'}."
    )


@example(address="kim@people-4eedd6.example", tenant="acme-4eedd6", other="zen-4eedd6")
def suppressed_for_both(*, address: str, tenant: str, other: str) -> str:
    """A bounce of one tenant suppressed the address for the other tenant."""
    return f"{address} bounced for {tenant} and is suppressed for {other} too."


@example(mail=_MAIL, state="queued", address="kim@people-4eedd6.example")
def mail_not_refused(*, mail: str, state: str, address: str) -> str:
    """A mail to a suppressed address was accepted."""
    return f"The API accepted {mail} ({state}), although {address} is suppressed for it."


@example(mail=_MAIL, cause="bounce", reason="suppressed")
def refused_without_cause(*, mail: str, cause: str, reason: str) -> str:
    """A mail was refused, but its reason does not name the cause."""
    return f"The reason why {mail} was refused does not name the cause ({cause}): {reason}"


@example(named="newsletter, password-reset", wanted="newsletter")
def preview_wrong(*, named: str, wanted: str) -> str:
    """The preview of the drill's cordon names other lanes than it should."""
    return f"The preview of the cordon names {named or 'no lane'}, not only {wanted}."


@example(mail=_MAIL, state="queued", hold="5")
def mail_not_held(*, mail: str, state: str, hold: str) -> str:
    """A mail of a cordoned lane is not held."""
    return f"The state of {mail} is {state}, not held, although hold {hold} stops it."


@example(mail=_MAIL, hold="5")
def mail_sent_despite_hold(*, mail: str, hold: str) -> str:
    """A mail of a cordoned lane is in SES's ledger."""
    return f"SES received {mail}, although hold {hold} stops it."


@example(count=2)
def lifted_wrong_number(*, count: int) -> str:
    """The drill's uncordon lifted another number of holds than one."""
    return f"The uncordon lifted {count} holds, not 1."


@example(waited="10 s", found="acme-4eedd6 newsletter: 0 bounced, 0 complained")
@example(waited="10 s", found="")
def metrics_wrong(*, waited: str, found: str) -> str:
    """The metrics do not have the drill's bounce and complaint."""
    return f"The metrics did not show the bounce and the complaint within {waited}. They show: {found or 'nothing'}."


@example(tenant="acme-4eedd6", type="newsletter", bounces=0, complaints=1)
def lane_counts(*, tenant: str, type: str, bounces: int, complaints: int) -> str:
    """A lane in `metrics_wrong`."""
    return f"{tenant} {type}: {bounces} bounced, {complaints} complained"


@example(subjects="News [4eedd6-7]")
def ledger_has_more(*, subjects: str) -> str:
    """SES received a mail that should not have been sent."""
    return f"SES's ledger has mails that should not have been sent: {subjects}."


@example(subjects="News [4eedd6-7]")
def ledger_lacks(*, subjects: str) -> str:
    """SES did not receive a mail that should have been sent."""
    return f"SES's ledger does not have: {subjects}."


@example(subjects="News [4eedd6-7]")
def ledger_has_twice(*, subjects: str) -> str:
    """SES received a mail more than once."""
    return f"SES's ledger has more than once: {subjects}."


# status ------------------------------------------------------------------------------------------------------------------


@example(problems=0, checked=["roles", "waiting mail", "stops"])
@example(problems=1, checked=["roles", "waiting mail", "stops"])
@example(problems=3, checked=["roles", "waiting mail", "stops"])
def status_verdict(*, problems: int, checked: list[str]) -> str:
    """The first line of `status`."""
    if problems:
        return f"{problems} problem{'' if problems == 1 else 's'}:"
    return f"All is well. Checked: {', '.join(checked)}."


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
    return "No control process reports, so nothing is changed or checked at SES. Start it: mailcordon run control."


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


# Files of tenants --------------------------------------------------------------------------------------------------------


@example(file="tenants.yaml", why="No such file or directory")
def file_not_readable(*, file: str, why: str) -> str:
    """A file of tenants cannot be opened or read. Exit code 2."""
    return f"Cannot read {file}: {why}."


@example(file="tenants.yaml", most=32)
def file_too_large(*, file: str, most: int) -> str:
    """A file of tenants is larger than any that a server takes. Exit code 2."""
    return f"{file} is larger than {most} MB. Split it: what a file does not name is left alone."


@example(file="tenants.yaml")
def file_not_utf8(*, file: str) -> str:
    """A file of tenants is not text. Exit code 2."""
    return f"{file} is not UTF-8 text."


@example(file="tenants.yaml", line=7, why="mapping values are not allowed here")
def file_not_yaml(*, file: str, line: int, why: str) -> str:
    """A file of tenants is not YAML. Exit code 2."""
    return f"{file}:{line}: not YAML: {why.rstrip('.') or 'it cannot be read'}."


@example(file="tenants.yaml", line=7)
def file_too_deep(*, file: str, line: int) -> str:
    """A file of tenants has more levels than a document of tenants has. Exit code 2."""
    return f"{file}:{line}: too many levels."


@example(file="tenants.yaml")
def file_empty(*, file: str) -> str:
    """A file of tenants has nothing in it. Exit code 2."""
    return f"{file} is empty. `mailcordon export` writes one that describes what is there."


@example(file="tenants.yaml", line=7)
def file_has_alias(*, file: str, line: int) -> str:
    """A file of tenants uses an anchor of YAML. Exit code 2."""
    return f"{file}:{line}: anchors and aliases are not read. Write the value out."


@example(file="tenants.yaml", line=7, tag="!secret")
def file_has_tag(*, file: str, line: int, tag: str) -> str:
    """A value of a file of tenants has a type of YAML that a document cannot have. Exit code 2."""
    return f"{file}:{line}: values of the type {tag.rpartition(':')[2]} are not read. Put quotes around text."


@example(file="tenants.yaml", line=7)
def file_has_odd_key(*, file: str, line: int) -> str:
    """A name in a file of tenants is no text, or merges another mapping. Exit code 2."""
    return f"{file}:{line}: a name must be text, and merge keys are not read."


@example(file="tenants.yaml", line=7, name="acme", first=3)
def file_has_key_twice(*, file: str, line: int, name: str, first: int) -> str:
    """A name stands twice in one mapping of a file of tenants. Exit code 2."""
    return f"{file}:{line}: {name} stands here again; line {first} has it too."


@example(file="tenants.yaml", faults="2 faults")
def file_refused(*, file: str, faults: str) -> str:
    """A file of tenants has faults; a line for each follows, with the line of the file. Exit code 2, or 1 from the server."""
    return f"{file} has {faults}; nothing was changed:"


# Plans -------------------------------------------------------------------------------------------------------------------


@example(option="--prune", other="--file")
def needs_option(*, option: str, other: str) -> str:
    """An option means nothing without another one. Exit code 2."""
    return f"{option} needs {other}."


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
    """A plan has more calls than `plan` shows."""
    return f"and {number:,} more: mailcordon plans show {plan}"


@example()
def plan_waits() -> str:
    """Stands above the reasons for which calls of a plan are made only after a person applied it."""
    return "Waits for a person, because it"


@example(tenants=["acme"])
@example(tenants=["acme", "zen"])
@example(tenants=[])
def plan_touches(*, tenants: list[str]) -> str:
    """Whom a plan touches."""
    if not tenants:
        return "Touches what all tenants share."
    shown = ", ".join(tenants[:10]) + (f" and {len(tenants) - 10:,} more" if len(tenants) > 10 else "")
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


@example()
def export_needs_file() -> str:
    """`mailcordon audit export` with --json, and without a file: the export itself would be on the same output."""
    return "--json needs --file: without it the export itself goes to standard output"


@example(file="/srv/acme.jsonl", why="Permission denied")
def cannot_write(*, file: str, why: str) -> str:
    """A file that a command should write cannot be written."""
    return f"{file} cannot be written: {why}"


@example(file="acme.jsonl", own=17, rows=1204)
@example(file="acme.jsonl", own=1, rows=1204)
def audit_exported(*, file: str, own: int, rows: int) -> str:
    """`mailcordon audit export` has written its file."""
    noun = "row" if own == 1 else "rows"
    return (
        f"Wrote {own:,} {noun} with the digests of all {rows:,} to {file}. Check it anywhere: "
        f"mailcordon audit verify --export {file}"
    )


# Changes of a tenant's life ------------------------------------------------------------------------------------------------


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
