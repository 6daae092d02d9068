"""The sentences that `python -m seslocal` prints, and those to callers that it does not answer: one function for each. Help texts
stay with their options in `__main__`."""

from __future__ import annotations

from collections.abc import Iterable


def ready(url: str, region: str) -> str:
    """Printed once the server listens."""
    return (
        f"seslocal is ready at {url} (SES v2, SES v1, SNS, SQS).\n"
        f"Open {url} in a browser to read the mail.\n"
        "\n"
        "    import boto3\n"
        f'    ses = boto3.client("sesv2", endpoint_url="{url}",\n'
        f'                       region_name="{region}",\n'
        '                       aws_access_key_id="test",\n'
        '                       aws_secret_access_key="test")\n'
        "\n"
        f"List the mail that was sent: curl {url}/_seslocal/sent"
    )


def exposed(where: str, url: str, token: str | None, *, unsigned: bool) -> str:
    """Printed when it listens beyond loopback. `token` is the generated one; None: the user has set it."""
    keys = (
        "Signatures are not checked (--no-auth): whoever reaches it can call SES, SNS and SQS."
        if unsigned
        else "Whoever reaches it and knows an access key can call SES, SNS and SQS; test:test is known to everyone."
    )
    which = "The admin API and the page require the token that was set."
    if token is not None:
        which = (
            f"The admin API and the page require this token, which was generated: {token}\n"
            "Set SESLOCAL_TOKEN or --token to choose one."
        )
    return (
        f"seslocal: WARNING: it listens on {where}, which other machines can reach.\n"
        f"{keys}\n"
        f"{which}\n"
        f'    curl -H "Authorization: Bearer {token or "$SESLOCAL_TOKEN"}" {url}/_seslocal/sent\n'
        "In a browser, log in with any user name and the token as password."
    )


def bad_token() -> str:
    """The value of --token or SESLOCAL_TOKEN."""
    return "the token must be at least one and at most 200 printable ASCII characters, without spaces"


def bad_host_name(text: str) -> str:
    """The value of --allow-host."""
    return f"{text!r} is not a host name, such as seslocal or *.test.example, without a port"


def host_not_allowed(host: str) -> str:
    """The Host header of a request is not a name of this server."""
    return (
        f"The host name {host} is not allowed. Start seslocal with --allow-host NAME to allow a name; "
        "localhost and the server's own address always are."
    )


def from_another_origin(who: str) -> str:
    """A browser sent the request for a page of another origin. `who`: its Origin, or the value of Sec-Fetch-Site."""
    return (
        f"Requests of pages of another origin ({who}) are refused, also signed ones. "
        "Call seslocal from a server, or open its own page."
    )


def change_by_link() -> str:
    """A presigned GET would change something where a page in a browser could have sent it."""
    return (
        "A presigned GET that changes something is answered only on localhost and loopback addresses, since elsewhere it may "
        "come from a web page. Send a POST, or the signature in an Authorization header."
    )


def token_missing() -> str:
    """The admin API or the page was called without a token, and requires one."""
    return (
        "The admin API and the page require a token here. Send Authorization: Bearer TOKEN, or log in in a browser with the "
        "token as password."
    )


def token_wrong() -> str:
    """The token of the request is not this server's."""
    return "The token is wrong. It is the value of SESLOCAL_TOKEN or --token, or was printed at the start."


# refused signatures, on the log


def refused_unsigned() -> str:
    """The request has no signature. Like the lines below it is for the server's log; the caller gets SES's words."""
    return "refused a call without a signature. --no-auth (Settings(check_signatures=False)) accepts unsigned calls."


def refused_region(region: str, own: str) -> str:
    return (
        f"refused a call signed for the region {region}: this server is in {own}. Start it with --region {region}, or "
        f"also accept others with --region {own} --region any (Settings(region={own!r}, other_regions=('any',)))."
    )


def refused_key(key: str) -> str:
    return (
        f"refused a call signed with the access key {key}, which is not known here. Sign with test and the secret test, "
        f"add the key with --key {key}:SECRET (Settings(keys=(({key!r}, SECRET),))), or check no signatures with --no-auth."
    )


def refused_secret(key: str, *, known: bool) -> str:
    """`known`: it is the key whose secret everyone knows."""
    secret = "is not test" if known else "differs from that of --key"
    return (
        f"refused a call with a wrong signature of the access key {key}: its secret {secret}, or a proxy between changed the "
        "request (its Host header or path). --no-auth (Settings(check_signatures=False)) does not check signatures."
    )


def refused_time() -> str:
    return (
        "refused a call that was signed more than five minutes ago or ahead: compare the clock of the caller with this "
        "machine's. A test that freezes the time (freezegun) signs with the frozen one. --no-auth does not check signatures."
    )


def refused_otherwise(reason: str) -> str:
    """`reason` is what the caller was told."""
    return f"refused a signature: {reason} --no-auth (Settings(check_signatures=False)) does not check signatures."


# in tests


def boto3_is_not_installed() -> str:
    """The fixture's `client` was called."""
    return (
        'seslocal.client(...) needs boto3: pip install "seslocal[pytest]", or pip install boto3. Any other client can use '
        "seslocal.url as its endpoint."
    )


def waited_in_vain(seconds: float, seen: str, instead: str) -> str:
    """`seen` is what the condition returned or said last, `instead` what seslocal saw."""
    return f"Waited {seconds:g} s in vain: at the end {seen}.\n{instead}"


def seen_instead(
    total: int, mails: Iterable[str], events: Iterable[str], queues: Iterable[str], outbox: dict[str, int]
) -> str:
    """What happened at seslocal: the newest mails, events, and queues, and the HTTP deliveries of SNS and Firehose."""
    posts = f"{outbox['sent']} answered, {outbox['dropped']} given up, {outbox['waiting']} to be tried again"
    return (
        f"seslocal has seen {total} mails: {'; '.join(mails) or 'none'}.\n"
        f"Newest events: {'; '.join(events) or 'none'}.\n"
        f"Queues: {'; '.join(queues) or 'none'}.\n"
        f"HTTP deliveries: {posts}."
    )


def dns_ready(host: str, port: int) -> str:
    """Printed after `ready` when the DNS server runs."""
    return f"Query its DNS: dig @{host} -p {port} NAME"


def smtp_ready(host: str, port: int, url: str) -> str:
    """Printed after `ready` when the SMTP door is open."""
    return f"Send by SMTP: {host}:{port}. Password and certificate: {url}/_seslocal/smtp"


def smtp_is_not_installed() -> str:
    """`--smtp-port` was given, or a test asked for SMTP, and aiosmtpd is missing."""
    return 'SMTP needs the package aiosmtpd: pip install "seslocal[smtp]"'


def refused_smtp_user(user: str) -> str:
    """On the log: AUTH with a user that is no access key."""
    return f"refused SMTP user {user}: it is no access key of this server. Use test, or start it with --key {user}:SECRET."


def refused_smtp_password(user: str, region: str, *, is_secret: bool) -> str:
    """On the log: AUTH with a wrong password."""
    given = (
        "its secret is not its SMTP password"
        if is_secret
        else "the password is not the one derived from its secret"
    )
    return (
        f"refused SMTP user {user}: {given} for {region}. seslocal.smtp_password(secret, region) derives it."
    )


def failed(what: str) -> str:
    """How every failure on standard error begins."""
    return f"seslocal: {what}"


def cannot_listen(
    host: str, port: int, dns_port: int | None, reason: str, smtp_port: int | None = None
) -> str:
    """A port is taken, or the address is not one of this machine."""
    if smtp_port is not None:
        others = (
            f" and SMTP port {smtp_port}"
            if dns_port is None
            else f", DNS port {dns_port} and SMTP port {smtp_port}"
        )
        switches = "--smtp-port" if dns_port is None else "--dns-port, --smtp-port"
        return failed(
            f"cannot listen on {host}:{port}{others}: {reason}. Change --host, --port or {switches} (0: a free port)."
        )
    if dns_port is None:
        return failed(f"cannot listen on {host}:{port}: {reason}. Change --host or --port (0: a free port).")
    return failed(
        f"cannot listen on {host}:{port} and DNS port {dns_port}: {reason}. "
        "Change --host, --port or --dns-port (0: a free port)."
    )


def cannot_write_ready(where: str, reason: str | None) -> str:
    """The file of --ready-file or the descriptor of --ready-fd cannot be written."""
    return failed(f"cannot write the ready line to {where}: {reason}.")


def scenario_refused(path: str, reason: str) -> str:
    """A step of the scenario file is invalid."""
    return failed(f"invalid scenario {path}: {reason}")


def state_set_aside(path: str, moved_to: str, reason: str) -> str:
    """The file of --state cannot be used. It is kept under another name, and the account starts empty."""
    return f"cannot use the state in {path}: {reason}. It is kept as {moved_to}; this run starts empty."


def state_damaged(path: str, copied_to: str, used: int, size: int) -> str:
    """A part of the file of --state is damaged. What was written before it is used."""
    return (
        f"the state in {path} is damaged after {used:,} of {size:,} bytes. What is before is used; the file is kept as "
        f"{copied_to}."
    )


def state_not_written(path: str, reason: str) -> str:
    """The state cannot be written, for example because the disk is full. Logged once; the server continues."""
    return f"cannot write the state in {path}: {reason}. Changes are in memory only until it can be written again."


def state_written_again(path: str) -> str:
    """The state could not be written for a while."""
    return f"the state in {path} is written again and complete."


def state_in_use(path: str) -> str:
    """Another seslocal has this directory of --state."""
    return failed(f"another seslocal uses the state in {path}. Stop it, or give another directory.")


def state_not_usable(path: str, reason: str) -> str:
    """The directory of --state cannot be created, read or written."""
    return failed(f"cannot use the directory {path} for the state: {reason}.")


def state_foreign() -> str:
    """The file is not a state file."""
    return "it is not a state file of seslocal"


def state_version(found: str, own: str) -> str:
    """The file was written by a seslocal with another format."""
    return f"it has format {found}, and this seslocal has format {own}"


def state_of_another_account(found: str, own: str) -> str:
    """--region or --account differ from those of the state."""
    return f"it is of {found}, and this run is of {own}"


def state_unreadable(error: str) -> str:
    """A record in the state is not as this version writes it."""
    return f"a record in it cannot be read ({error})"


def not_like(text: str, expected: str) -> str:
    """The value of an option has the wrong form."""
    return f"{text!r} is not {expected}"


def not_in_range(text: str, kind: str, low: float, high: float) -> str:
    """The value of an option is not a number, or out of range."""
    return f"{text!r} is not a {kind} from {low:,.0f} to {high:,.0f}"


def dns_is_not_installed() -> str:
    """`--strict`, `--dns-port` or a DNS record was given and dnspython is missing."""
    return 'DNS needs the package dnspython: pip install "seslocal[dns]"'


# policies of keys: why a document is refused


def policy_not_an_object() -> str:
    return "A policy document is a JSON object."


def simulation_without(name: str) -> str:
    return f"seslocal simulates without {name}: leave it out."


def policy_element_unknown(name: str, known: Iterable[str]) -> str:
    return f"seslocal does not know the element {name}. Known elements: {', '.join(known)}."


def policy_version_unknown(version: str, known: Iterable[str]) -> str:
    return f"Version {version} is unknown. It must be {' or '.join(known)}."


def policy_without_statement() -> str:
    return "Statement must be an object or a list of objects."


def policy_statement_not_an_object() -> str:
    return "Each Statement must be an object."


def policy_sid_wrong(sid: str) -> str:
    return f"Sid {sid} must have only letters and digits."


def policy_sid_twice(sid: str) -> str:
    return f"Two statements have the Sid {sid}."


def policy_effect_wrong(effect: str) -> str:
    return f"Effect must be Allow or Deny, not {effect}."


def policy_with_principal(name: str) -> str:
    """A policy of a resource, not of a key."""
    return f"A policy that is attached to a key must not have {name}."


def policy_without_principal() -> str:
    """A policy of a topic or queue."""
    return "A Statement of this policy needs a Principal: * or an object of Service and AWS."


def policy_needs_one_of(name: str) -> str:
    return f"A Statement needs either {name} or Not{name}."


def policy_needs_texts(name: str) -> str:
    return f"{name} must be a string or a list of strings, none empty."


def policy_variable(text: str) -> str:
    return f"seslocal does not replace variables, as in {text}."


def policy_action_wrong(action: str) -> str:
    return f"The action {action} must be * or such as ses:SendEmail."


def policy_arn_incomplete(arn: str) -> str:
    return (
        f"{arn} is not a complete ARN with six parts, such as arn:aws:ses:us-east-1:123456789012:identity/*."
    )


def policy_condition_not_an_object() -> str:
    return 'Condition must be an object such as {"Null": {"ses:TenantName": "true"}}.'


def policy_operator_unknown(operator: str, known: Iterable[str]) -> str:
    return (
        f"seslocal does not evaluate the condition operator {operator}. It evaluates {', '.join(known)}, also with IfExists, "
        "ForAnyValue: and ForAllValues:."
    )


def policy_operator_not_for_key(operator: str, key: str, kind: str) -> str:
    """`kind`: what the operator compares."""
    compares = {"arn": "ARNs", "boolean": "true and false"}.get(kind, "strings")
    return f"The condition operator {operator} compares {compares}, which the values of {key} are not."


def policy_key_unknown(key: str, known: Iterable[str]) -> str:
    return f"seslocal does not know the condition key {key}. Known keys: {', '.join(known)}."


def policy_key_has_many_values(key: str) -> str:
    return f"{key} has several values: use ForAnyValue: or ForAllValues: before the operator."


def policy_needs_boolean(operator: str, key: str) -> str:
    """Null and Bool. For Null, true means that the key must be absent."""
    return f"{operator} takes true or false for {key}."
