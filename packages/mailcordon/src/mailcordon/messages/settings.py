"""What is wrong with a setting: a variable MAILCORDON_..., or a file that one names."""

from mailcordon.messages import example


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
def world_without_local_ses() -> str:
    """MAILCORDON_SES_WORLD is set, and `up` starts no local SES that a world could be behind."""
    return (
        "MAILCORDON_SES_WORLD (--world) puts a world behind the local SES that `mailcordon up` starts: it cannot be set with "
        "MAILCORDON_SES=aws (--aws) or MAILCORDON_SES_ENDPOINT."
    )


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


@example(setting="MAILCORDON_API_FD", number=99, why="Bad file descriptor")
def fd_wrong(*, setting: str, number: int, why: str) -> str:
    """The number of a socket that `up` passes on is not an open listening socket."""
    return f"{setting} is {number}, which is not a listening socket ({why}). Only `up` sets it: unset it otherwise."


@example()
def socket_not_listening() -> str:
    """A socket that `up` passes on does not listen: the reason in `fd_wrong`."""
    return "it does not listen"


@example()
def ses_calls_waiting() -> str:
    """A call to SES was not made, because too many wait for their turn. The work is retried later."""
    return "too many calls to SES wait for their turn; it is retried later."


@example()
def tls_half_set() -> str:
    """One of the two settings of TLS is missing."""
    return "MAILCORDON_TLS_CERTIFICATE and MAILCORDON_TLS_KEY belong together: set both, or neither."


@example()
def smtp_tls_half_set() -> str:
    """One of the two settings of TLS for submission by SMTP is missing."""
    return (
        "MAILCORDON_SMTP_TLS_CERTIFICATE and MAILCORDON_SMTP_TLS_KEY belong together: set both, or neither."
    )


@example(path="/etc/mailcordon/tls.pem", why="no start line")
def tls_not_readable(*, path: str, why: str) -> str:
    """The certificate or the key of TLS cannot be used: the process that listens with them does not start."""
    return f"The TLS certificate {path} and its key cannot be used: {why}."


@example(host="0.0.0.0")  # noqa: S104 (shown, not bound)
def metrics_need_a_token(*, host: str) -> str:
    """Metrics are to be served on an address that is not a private one, and no token is set."""
    return (
        f"MAILCORDON_METRICS_HOST is {host}, which others may reach, and metrics name tenants: set MAILCORDON_METRICS_TOKEN, or a"
        " loopback or private address."
    )
